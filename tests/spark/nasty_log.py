"""A sample shop's log, with rows of every fault, duplicates, and events later than the night."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from data.sample_shop.shop import ShopSettings, make_shop
from tasks.ingest.contract import Inputs, InputSettings, check_inputs
from tests.tasks.logs import Row, event, write

SHOP = ShopSettings(n_users=300, n_items=200, n_days=20)
#: Longer than a key may hold once it is percent-encoded, by one byte, or not.
_LONG = ["~" * 512, "~" * 513, " " * 170, " " * 171, "*" * 171, "é" * 86, "a" * 512, "a" * 513]


@dataclass(frozen=True)
class NastyLog:
    """The checked files, the night's instant, and an instant in its morning."""

    inputs: Inputs
    as_of: datetime
    now: datetime


def make_nasty_log(folder: Path) -> NastyLog:
    """Write the log's files; the shop's last day is after the night."""
    shop = make_shop(folder, SHOP)
    days = sorted(path.name.removeprefix("date=") for path in shop.events.iterdir())
    as_of = datetime.fromisoformat(days[-1]).replace(tzinfo=UTC)
    known = _an_item(shop.items)
    usual: Row = {"item_id": known, "ts": as_of - timedelta(days=2)}
    rows = [event(**(usual | each)) for each in _faults(as_of)]
    for number, row in enumerate(rows):
        row.setdefault("session_id", f"s{number % 3}")
    write(shop.events / "zz/more.parquet", rows)
    inputs = check_inputs(shop.events, shop.items, shop.users, InputSettings())
    return NastyLog(inputs, as_of, as_of + timedelta(days=3))


def _an_item(path: Path) -> str:
    return str(pq.read_table(path, columns=["item_id"])[0][7].as_py())


def _faults(as_of: datetime) -> list[Row]:
    """Return what each row has in place of a good one's."""
    second = as_of - timedelta(days=3, microseconds=-250_000)
    nan, infinite = float("nan"), float("inf")
    return [
        *({"user_id": user} for user in (None, "", "é\n'\\\"", *_LONG)),
        *({"item_id": item} for item in (None, "", "nobody's", *_LONG)),
        *({"event_type": kind} for kind in (None, "", "impression", "unheard of")),
        *({"value": value} for value in (nan, infinite, -infinite, 1e12, 1.1e12, -1.0, -0.0)),
        *({"event_type": "return", "value": value} for value in (-1.0, -2e12)),
        *({"ts": instant} for instant in (None, as_of, as_of + timedelta(microseconds=1))),
        {"ts": as_of + timedelta(days=9)},
        {"arrived_at": as_of + timedelta(hours=1)},
        {"arrived_at": as_of + timedelta(days=9)},
        # One event four times: twice by its id, twice by its second.
        *({"event_id": "e1", "user_id": user, "arrived_at": as_of} for user in ("u2", "u3")),
        *({"user_id": "u4", "ts": second, "value": value} for value in (2.0, 1.0, None)),
        {"user_id": "u4", "ts": second + timedelta(microseconds=1), "value": 0.5},
        {"user_id": "u4", "ts": second + timedelta(seconds=1)},
    ]
