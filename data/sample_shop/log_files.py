"""The sample shop's events as a table and as files, with the dirt that real logs have."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.sample_shop.catalogue import DAY_US, Catalogue, Floats, Ints
from data.sample_shop.events import EVENT_TYPES, HOUR_US, SECOND_US, Events
from data.sample_shop.users import People
from data.schema import EVENTS, InputError, write

#: Shares of rows that are sent twice, that lost their user, that name an item nobody knows.
SENT_TWICE, NO_USER, UNKNOWN_ITEM = 0.0005, 0.0003, 0.0003
#: Share of rows that arrive hours after they happened, as from a phone that was offline.
LATE_SHARE = 0.01

_INSTANT = pa.timestamp("us", tz="UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def events_table(
    rng: np.random.Generator, log: Events, catalogue: Catalogue, people: People
) -> pa.Table:
    """Return the events (in order of time) as a table of `EVENTS` in order of (ts, event_id).

    An event that was sent twice is two rows alike but for a later `arrived_at`.
    """
    n = len(log.user)
    arrived_us = log.ts_us + _delay_us(rng, n).astype(np.int64)
    user_ids = pa.array(people.ids).take(pa.array(log.user, mask=rng.random(n) < NO_USER))
    delisted = pa.array([f"x{number:03d}" for number in range(20)])
    item_ids = pa.concat_arrays([pa.array(catalogue.ids), delisted])
    unknown = len(catalogue.ids) + rng.integers(len(delisted), size=n)
    item = np.where(rng.random(n) < UNKNOWN_ITEM, unknown, log.item)
    columns = {
        "user_id": user_ids,
        "item_id": item_ids.take(pa.array(item)),
        "event_type": pa.array(EVENT_TYPES).take(pa.array(log.kind)),
        "ts": pa.array(log.ts_us, _INSTANT),
        "value": pa.array(log.value, mask=np.isnan(log.value)),
        "event_id": np.char.mod("e%07d", np.arange(1, n + 1)),
        "arrived_at": pa.array(arrived_us, _INSTANT),
        "session_id": pa.array(np.char.mod("s%06d", log.session), mask=log.session < 0),
    }
    return _send_twice(rng, pa.table(columns, schema=EVENTS), arrived_us)


def write_days(folder: Path, table: pa.Table) -> None:
    """Write events in order of time as `date=YYYY-MM-DD/part-0.parquet`, by the day of `ts` in UTC.

    `InputError` where the folder holds Parquet files of other days: they would join the log.
    """
    day = table["ts"].cast(pa.int64()).to_numpy() // DAY_US
    days, first = np.unique(day, return_index=True)
    paths = [folder / f"date={_date(number)}" / "part-0.parquet" for number in days.tolist()]
    if others := sorted(set(folder.rglob("*.parquet")) - set(paths)):
        raise InputError(
            f"{folder} holds files of another log, such as {others[0]}; choose an empty folder"
        )
    for path, low, high in zip(paths, first, [*first[1:], len(day)], strict=True):
        write(path, EVENTS, table.slice(low, high - low).to_batches())


def _delay_us(rng: np.random.Generator, n: int) -> Floats:
    """Return the way from the event to the log: seconds to minutes, for some hours."""
    quick = rng.lognormal(np.log(20), 1.2, n) * SECOND_US
    return np.where(rng.random(n) < LATE_SHARE, rng.uniform(1, 30, n) * HOUR_US, quick)


def _send_twice(rng: np.random.Generator, table: pa.Table, arrived_us: Ints) -> pa.Table:
    """Return the table with some rows a second time, a while later, beside the first."""
    again = np.flatnonzero(rng.random(len(arrived_us)) < SENT_TWICE)
    later_us = arrived_us[again] + (rng.uniform(0.1, 6, len(again)) * HOUR_US).astype(np.int64)
    second = table.take(pa.array(again)).set_column(
        table.schema.get_field_index("arrived_at"), "arrived_at", pa.array(later_us, _INSTANT)
    )
    order = np.argsort(np.concatenate([np.arange(len(arrived_us)), again]), kind="stable")
    return pa.concat_tables([table, second]).take(pa.array(order))


def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()
