"""Rolling up, merging and leaving days out, against the definition in plain Python."""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tasks.features.rollup import Rollup, merged, roll_up, without
from tasks.ingest.daily_log import DAY_US

Key = tuple[str, str, str, int]
Event = tuple[str, str, str, int, float | None]

#: Values that stand alone, that are halves of a millionth, and plain ones.
VALUES = [None, 0.0, 3.3, -2.0, 5e-7, -1.5e-6, 4.9e-7, 1e6, 1000001.5, -1e12, 1e12]
events = st.lists(
    st.tuples(
        st.sampled_from(["a", "u1", "u10", "é"]),
        st.sampled_from(["i1", "i2", "i3"]),
        st.sampled_from(["view", "like"]),
        st.integers(-2 * DAY_US, 3 * DAY_US),
        st.sampled_from(VALUES),
    ),
    max_size=40,
)


def by_day(log: list[Event]) -> dict[int, Rollup]:
    days = defaultdict(list)
    for event in sorted(log, key=lambda event: event[3]):
        days[event[3] // DAY_US].append(event)
    return {day: roll_up(table(days[day])) for day in sorted(days)}


def table(rows: list[Event]) -> pa.Table:
    users, items, types, times, values = map(list, zip(*rows, strict=True))
    columns = {
        **{"user_id": users, "item_id": items, "event_type": types},
        "ts": pa.array(times, pa.timestamp("us")),
        "value": pa.array(values, pa.float64()),
    }
    made = pa.table(columns)
    for at, name in enumerate(["user_id", "item_id", "event_type"]):
        made = made.set_column(at, name, made.column(name).dictionary_encode())
    return made


def defined(log: list[Event]) -> dict[Key, list[int]]:
    """Add up by user, item, type and day: events, first, last, how many valued, millionths."""
    found: dict[Key, list[int]] = {}
    for user, item, kind, at_us, value in log:
        sums = found.setdefault((user, item, kind, at_us // DAY_US), [0, at_us, at_us, 0, 0])
        sums[:3] = sums[0] + 1, min(sums[1], at_us), max(sums[2], at_us)
        if value is not None:
            sums[3] += 1
            sums[4] += int(Decimal(value * 1e6).quantize(Decimal(1), ROUND_HALF_UP))
    return found


def read(rollup: Rollup) -> dict[Key, list[int]]:
    """Return what a rollup says, once its rows are in order and its strings used."""
    rows, found = rollup.rows, dict[Key, list[int]]()
    users, items, types = (x.to_pylist() for x in (rollup.users, rollup.items, rollup.types))
    assert all(strings == sorted(set(strings)) for strings in (users, items, types))
    assert set(rows.item.tolist()) == set(range(len(items)))
    assert set(rows.type.tolist()) == set(range(len(types)))
    more = {row: n for n, row in enumerate(rows.row.tolist())}
    for u, user in enumerate(users):
        own = range(rows.start[u], rows.start[u + 1])
        assert own, "a user without rows"
        assert rows.item[own.start : own.stop].tolist() == sorted(rows.item[own.start : own.stop])
        extras = list(range(rows.extra_start[u], rows.extra_start[u + 1]))
        assert extras == [more[row] for row in own if row in more]
        for row in own:
            last_us, n = int(rows.last_us[row]), more.get(row)
            said = [1, last_us, last_us, 0, 0]
            if n is not None:
                counts = rows.events[n], rows.first_us[n], last_us, rows.valued[n]
                said = [int(each) for each in (*counts, rows.millionths[n])]
            key = user, items[rows.item[row]], types[rows.type[row]], last_us // DAY_US
            had = found.get(key, [0, said[1], said[2], 0, 0])
            found[key] = [
                *(had[0] + said[0], min(had[1], said[1]), max(had[2], said[2])),
                *(had[3] + said[3], had[4] + said[4]),
            ]
    return found


@given(log=events)
def test_days_added_up_and_merged_say_what_the_events_do(log: list[Event]) -> None:
    days = by_day(log)
    for day, rollup in days.items():
        assert read(rollup) == defined([event for event in log if event[3] // DAY_US == day])
    assert read(merged(list(days.values()))) == defined(log)


@given(log=events, gone=st.lists(st.integers(-3, 3), unique=True))
def test_without_some_days_it_is_as_if_they_had_not_been(log: list[Event], gone: list[int]) -> None:
    left = without(merged(list(by_day(log).values())), gone)
    assert read(left) == defined([event for event in log if event[3] // DAY_US not in gone])
