"""The clean log: every bad row with its reason, each event once, nothing after `as_of`."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import TooManyBadRows
from tasks.ingest.contract import InputSettings
from tasks.ingest.settings import EventSettings
from tests.tasks.logs import (
    AS_OF,
    NOW,
    TYPES,
    YESTERDAY,
    Row,
    bytes_of,
    clean,
    event,
    flip_bit,
    item,
    learn,
    read,
    write,
)

LONG = "x" * 512
TOO_LONG = "é" * 86  # 172 bytes as they are, 516 percent-encoded
IN_A_YEAR = NOW + timedelta(days=365)


def found(quarantine: Path) -> list[tuple[str, str, int, str]]:
    """Return (relation, file name, row, reason) of each bad row."""
    return [
        (row["relation"], Path(row["file"]).name, row["row"], row["reason"])
        for row in read(quarantine)
    ]


BAD_EVENTS: list[tuple[Row, str]] = [
    (event(user_id=None), "user_id missing"),
    (event(user_id=""), "user_id missing"),
    (event(item_id=None), "item_id missing"),
    (event(item_id=""), "item_id missing"),
    (event(event_type=None), "event_type missing"),
    (event(event_type=""), "event_type missing"),
    (event(ts=None), "ts missing or unparsable"),
    (event(ts=NOW + timedelta(hours=1, microseconds=1)), "ts in the future"),
    (event(ts=IN_A_YEAR), "ts in the future"),
    (event(arrived_at=IN_A_YEAR), "arrived_at in the future"),
    (event(user_id=LONG + "x"), "user_id too long"),
    (event(user_id=TOO_LONG), "user_id too long"),
    (event(item_id=TOO_LONG), "item_id too long"),
    (event(item_id="i0"), "unknown item"),
    (event(value=-0.01), "value negative"),
    (event(event_type="purchase", value=-5.0), "value negative"),
    (event(value=float("nan")), "value not finite"),
    (event(value=float("inf")), "value not finite"),
    (event(event_type="return", value=float("-inf")), "value not finite"),
    (event(value=1.1e12), "value too large"),
    (event(event_type="return", value=-1e300), "value too large"),
]


def test_every_bad_event_is_found_by_file_and_row_with_its_reason(tmp_path: Path) -> None:
    good = [
        event(user_id=LONG),
        event(user_id="a b/c:é"),
        event(event_type="return", value=-20.0),
        event(event_type="REFUND?", value=0.0),
        event(value=1e12),
        event(ts=datetime(1999, 12, 31, tzinfo=UTC)),
    ]
    rows = [row for row, _ in BAD_EVENTS]
    log = clean(tmp_path, rows[:4] + good + rows[4:])
    expected = [
        ("events", "events.parquet", n if n < 4 else n + len(good), reason)
        for n, (_, reason) in enumerate(BAD_EVENTS)
    ]
    assert found(log.quarantine) == expected
    assert sorted(row["user_id"] for row in read(log.events)) == sorted(
        row["user_id"] for row in good
    )


@pytest.mark.parametrize(
    "text", ["", "2026-02-30", "yesterday", "28/02/2026 10:00", "1772236800", "-infinity", "12:00"]
)
def test_a_time_that_cannot_be_parsed_is_shown_as_it_was(tmp_path: Path, text: str) -> None:
    rows = [event(ts="2026-02-27T10:00:00Z"), event(ts=text)]
    log = clean(tmp_path, write(tmp_path / "e.parquet", rows, ts=pa.string()))
    assert found(log.quarantine) == [("events", "e.parquet", 1, "ts missing or unparsable")]
    assert json.loads(read(log.quarantine)[0]["record"])["ts_as_found"] == (text or None)


def test_a_time_before_the_first_that_duckdb_knows_is_none(tmp_path: Path) -> None:
    first_us = -9_223_372_022_400_000_000
    rows = [event(ts=0), event(ts=first_us - 1)]
    log = clean(tmp_path, write(tmp_path / "e.parquet", rows, ts=pa.timestamp("us", "UTC")))
    assert found(log.quarantine) == [("events", "e.parquet", 1, "ts missing or unparsable")]
    assert [row["ts"] for row in read(log.events)] == [datetime(1970, 1, 1)]  # noqa: DTZ001


def test_an_arrival_that_cannot_be_parsed_is_bad_and_an_empty_one_is_none(tmp_path: Path) -> None:
    rows = [event(arrived_at="soon"), event(arrived_at=""), event(arrived_at=None, item_id="i2")]
    path = write(tmp_path / "e.parquet", rows, arrived_at=pa.string())
    log = clean(tmp_path, path, [item(), item("i2")])
    assert found(log.quarantine) == [("events", "e.parquet", 0, "arrived_at unparsable")]
    assert log.n_events == 2


BAD_ITEMS: list[tuple[Row, str]] = [
    (item(""), "item_id missing"),
    (item(TOO_LONG), "item_id too long"),
    (item("i2", category=TOO_LONG), "category too long"),
    (item("i5", created_at="last week"), "created_at unparsable"),
    (item("i1", category="toys"), "duplicate item_id"),
]


def test_every_bad_item_is_found_and_what_refers_to_it_is_unknown(tmp_path: Path) -> None:
    path = write(
        tmp_path / "items.parquet",
        [item("i1"), *(row for row, _ in BAD_ITEMS)],
        created_at=pa.string(),
    )
    log = clean(tmp_path, [event(), event(item_id="i2")], path)
    reasons = [reason for _, reason in BAD_ITEMS]
    assert found(log.quarantine) == [
        ("events", "events.parquet", 1, "unknown item"),
        *(("items", "items.parquet", n, reason) for n, reason in enumerate(reasons, 1)),
    ]
    assert [row["category"] for row in read(log.items)] == ["books"]


BAD_USERS: list[tuple[Row, str]] = [
    ({"user_id": None}, "user_id missing"),
    ({"user_id": "", "segment": "gold"}, "user_id missing"),
    ({"user_id": TOO_LONG}, "user_id too long"),
    ({"user_id": "u2", "segment": TOO_LONG}, "segment too long"),
    ({"user_id": "u3", "created_at": "never"}, "created_at unparsable"),
    ({"user_id": "u4", "created_at": IN_A_YEAR.isoformat()}, "created_at in the future"),
    ({"user_id": "u1", "segment": "silver"}, "duplicate user_id"),
]


def test_every_bad_user_is_found(tmp_path: Path) -> None:
    good = {"user_id": "u1", "segment": "gold"}
    later = {"user_id": "u9", "created_at": (AS_OF + timedelta(seconds=1)).isoformat()}
    path = write(
        tmp_path / "users.parquet",
        [good, *(row for row, _ in BAD_USERS), later],
        created_at=pa.string(),
    )
    log = clean(tmp_path, [event()], users=path)
    assert found(log.quarantine) == [
        ("users", "users.parquet", n, reason) for n, (_, reason) in enumerate(BAD_USERS, 1)
    ]
    assert [row["user_id"] for row in read(log.users)] == ["u1"]
    assert log.n_after_as_of == 1


def test_a_bad_row_does_not_stand_in_for_a_good_one_with_its_id(tmp_path: Path) -> None:
    items = [item("i1", category=TOO_LONG), item("i1", category="b", price=1.0)]
    users = [
        {"user_id": "u1", "segment": "a", "created_at": AS_OF + timedelta(hours=1)},
        {"user_id": "u1", "segment": "b", "created_at": YESTERDAY},
    ]
    events = [event(event_id="e1", value=-1.0), event(event_id="e1", value=2.0)]
    log = clean(tmp_path, events, items, users)
    assert [row["category"] for row in read(log.items)] == ["b"]
    assert [row["segment"] for row in read(log.users)] == ["b"]
    assert [row["value"] for row in read(log.events)] == [2.0]
    assert log.quarantined == {"category too long": 1, "value negative": 1}
    assert (log.n_duplicates, log.n_after_as_of) == (0, 1)


@pytest.mark.parametrize("order", [1, -1])
def test_of_rows_with_one_id_the_same_one_counts_in_any_order(tmp_path: Path, order: int) -> None:
    items = [item(category="b", price=1.0), item(category="b", price=2.0), item(category="c")]
    users = [{"user_id": "u1", "segment": segment} for segment in ("gold", "silver", None)]
    log = clean(tmp_path, [event()], items[::order], users[::order])
    assert [(row["category"], row["price"]) for row in read(log.items)] == [("b", 1.0)]
    assert [row["segment"] for row in read(log.users)] == ["gold"]
    assert log.quarantined == {"duplicate item_id": 2, "duplicate user_id": 2}


def test_the_quarantine_keeps_all_that_a_row_said(tmp_path: Path) -> None:
    bad = event(value=float("inf"), session_id='s "1"', event_id="e1")
    row = read(clean(tmp_path, [event(), bad]).quarantine)[0]
    record = json.loads(row["record"])
    assert (record["user_id"], record["session_id"], record["event_id"]) == ("u1", 's "1"', "e1")
    assert record["value"] == float("inf")


def share_of(tmp_path: Path, n_bad: int, limit: float) -> Any:
    bad = [event(item_id="i0", event_id=f"b{n}") for n in range(n_bad)]
    good = [event(user_id=f"u{n}") for n in range(200 - n_bad)]
    return clean(tmp_path, bad + good, settings=EventSettings(max_bad_share=limit))


@pytest.mark.parametrize(("n_bad", "limit"), [(0, 0.0), (1, 0.01), (2, 0.01), (200, 1.0)])
def test_bad_rows_up_to_the_limit_are_borne(tmp_path: Path, n_bad: int, limit: float) -> None:
    assert share_of(tmp_path, n_bad, limit).n_quarantined == n_bad


@pytest.mark.parametrize(("n_bad", "limit"), [(1, 0.0), (3, 0.01), (199, 0.99)])
def test_bad_rows_over_the_limit_stop_the_night(tmp_path: Path, n_bad: int, limit: float) -> None:
    with pytest.raises(TooManyBadRows) as raised:
        share_of(tmp_path, n_bad, limit)
    quarantine = tmp_path / "runs" / "shop" / "1" / "quarantine.parquet"
    assert str(raised.value) == (
        f"events: {n_bad} of 200 rows ({n_bad / 200:.2%}) are bad, more than the {limit:.2%} "
        f"allowed: unknown item: {n_bad}. Each row with its reason is in {quarantine}. Mend the "
        "log, or raise NIGHTSHELF_EVENTS__MAX_BAD_SHARE."
    )
    assert len(read(quarantine)) == n_bad


def test_rows_after_as_of_do_not_dilute_the_share(tmp_path: Path) -> None:
    later = [event(ts=AS_OF + timedelta(seconds=n + 1)) for n in range(900)]
    with pytest.raises(TooManyBadRows, match=r"events: 1 of 2 rows \(50.00%\)"):
        clean(tmp_path, [event(), event(user_id=""), *later], settings=EventSettings())


EQUAL_TIMES: list[tuple[Any, pa.DataType]] = [
    (datetime(2026, 2, 3, 4, 5, 6), pa.timestamp("s")),  # noqa: DTZ001 - UTC where no zone
    (datetime(2026, 2, 3, 4, 5, 6), pa.timestamp("ms")),  # noqa: DTZ001
    (datetime(2026, 2, 3, 4, 5, 6), pa.timestamp("us")),  # noqa: DTZ001
    (datetime(2026, 2, 3, 4, 5, 6), pa.timestamp("ns")),  # noqa: DTZ001
    (datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), pa.timestamp("us", "Asia/Tokyo")),
    (datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), pa.timestamp("ns", "UTC")),
    ("2026-02-03T04:05:06Z", pa.string()),
    ("2026-02-03 04:05:06", pa.string()),
    ("2026-02-03T06:05:06+02:00", pa.large_string()),
    ("2026-02-02T23:35:06-0430", pa.string()),
    ("2026-02-03T04:05:06.000000000Z", pa.dictionary(pa.int8(), pa.string())),
]


def test_files_of_different_types_are_one_log(tmp_path: Path) -> None:
    for n, (ts, kind) in enumerate(EQUAL_TIMES):
        as_text = n % 2 == 0
        path = tmp_path / "log" / f"date=2026-02-{n + 1:02}" / "part-0.parquet"
        ids = pa.string() if as_text else pa.int64()
        one = {"user_id": str(n) if as_text else n, "item_id": "7" if as_text else 7, "ts": ts}
        write(path, [event(**one)], ts=kind, user_id=ids, item_id=ids)
    items = write(tmp_path / "items.parquet", [item(7)], item_id=pa.int16())  # type: ignore[arg-type]
    log = clean(tmp_path, tmp_path / "log", items)
    rows = read(log.events)
    assert {row["ts"] for row in rows} == {datetime(2026, 2, 3, 4, 5, 6)}  # noqa: DTZ001
    assert {row["user_id"] for row in rows} == {str(n) for n in range(len(EQUAL_TIMES))}
    assert {row["item_id"] for row in rows} == {"7"}


def test_a_partition_folder_with_what_spark_leaves_behind(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    write(folder / "date=2026-02-27" / "a.parquet", [event(date="x", extra=1)], date=pa.string())
    write(folder / "date=2026-02-28" / "a.parquet", [event(extra="text", item_id="i2")])
    write(folder / "date=2026-02-28" / ".b.parquet", [event(user_id="hidden")])
    (folder / "_SUCCESS").touch()
    log = clean(tmp_path, folder, [item(), item("i2")])
    assert {row["ts"] for row in read(log.events)} == {YESTERDAY.replace(tzinfo=None)}
    assert (log.n_events, log.n_duplicates) == (2, 0)


def test_the_partition_in_the_path_never_shadows_a_column(tmp_path: Path) -> None:
    rows = [event() | {"date": "2026-02-14T12:00:00Z"}]
    for row in rows:
        del row["ts"]
    write(tmp_path / "log" / "date=2026-01-01" / "a.parquet", rows, date=pa.string())
    log = clean(tmp_path, tmp_path / "log", inputs=InputSettings(events={"ts": "date"}))
    assert read(log.events)[0]["ts"] == datetime(2026, 2, 14, 12)  # noqa: DTZ001


def test_columns_that_need_quoting_and_names_that_change_places(tmp_path: Path) -> None:
    names = {
        "user_id": "item_id",
        "item_id": "user_id",
        "event_type": "select",
        "ts": 'when "it" was',
        "value": "Prix, l'unité",
        "session_id": "a.b",
    }
    good = event(value=2.5, session_id="s1", event_type="purchase")
    path = write(
        tmp_path / "it's a log.parquet",
        [{names[name]: value for name, value in good.items()}],
        **{names["ts"]: pa.timestamp("us")},
    )
    log = clean(tmp_path, path, inputs=InputSettings(events=names))
    assert read(log.events) == [good | {"ts": YESTERDAY.replace(tzinfo=None)}]


def test_columns_that_duckdb_would_add_stay_out_of_the_way(tmp_path: Path) -> None:
    row = event(user_id=None) | {"filename": "mine", "file": "mine", "row": 7, "reason": "none"}
    log = clean(tmp_path, [row])
    assert found(log.quarantine) == [("events", "events.parquet", 0, "user_id missing")]


def test_a_path_is_never_a_pattern(tmp_path: Path) -> None:
    root = tmp_path / "it's [1] *?"
    write(tmp_path / "it's 1 xy" / "in" / "events.parquet", [event(user_id="wrong")])
    log = clean(root, [event()])
    assert [row["user_id"] for row in read(log.events)] == ["u1"]
    assert [row["user_id"] for row in read(learn(root, log).users)] == ["u1"]


@pytest.mark.parametrize("typed", [True, False])
def test_a_file_of_no_rows_is_a_quiet_day(tmp_path: Path, typed: bool) -> None:
    kinds = {name: TYPES[name] if typed else pa.null() for name in event()}
    path = tmp_path / "e.parquet"
    pq.write_table(pa.schema(list(kinds.items())).empty_table(), path)
    log = clean(tmp_path, path)
    assert (log.rows_read, log.n_events, log.event_types) == (1, 0, {})


def test_a_column_of_nothing_but_nulls_is_judged_row_by_row(tmp_path: Path) -> None:
    path = write(tmp_path / "e.parquet", [event(user_id=None)], user_id=pa.null())
    assert clean(tmp_path, path).quarantined == {"user_id missing": 1}


def test_a_broken_file_that_was_passed_over_is_in_the_record(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    write(folder / "a.parquet", [event()])
    broken = flip_bit(write(folder / "b.parquet", [event(item_id="i2")]), "item_id")
    log = clean(tmp_path, folder, inputs=InputSettings(skip_broken_files=True))
    assert list(log.set_aside) == [str(broken)]
    assert log.set_aside[str(broken)].startswith("damaged (could not verify page integrity")
    assert log.n_events == 1


def test_as_of_cuts_by_ts_and_by_arrival(tmp_path: Path) -> None:
    tick = timedelta(microseconds=1)
    rows = [
        event(user_id="before", ts=AS_OF - tick),
        event(user_id="at", ts=AS_OF),
        event(user_id="arrived", arrived_at=AS_OF),
        event(user_id="arrived late", arrived_at=AS_OF + tick),
        event(user_id="arrived late and bad", arrived_at=AS_OF + tick, ts=None),
        event(user_id=None, ts=AS_OF + tick),
        event(user_id="within the clock's tolerance", ts=NOW + timedelta(hours=1)),
    ]
    log = clean(tmp_path, rows)
    assert {row["user_id"] for row in read(log.events)} == {"before", "arrived"}
    assert (log.n_after_as_of, log.n_quarantined) == (5, 0)


def test_as_of_may_name_any_zone(tmp_path: Path) -> None:
    minute = timedelta(minutes=1)
    rows = [event(user_id="before", ts=AS_OF - minute), event(user_id="after", ts=AS_OF + minute)]
    elsewhere = AS_OF.astimezone(timezone(timedelta(hours=9)))
    log = clean(tmp_path, rows, as_of=elsewhere)
    assert [row["user_id"] for row in read(log.events)] == ["before"]


def test_nothing_after_as_of_changes_a_byte(tmp_path: Path) -> None:
    soon = AS_OF + timedelta(seconds=1)
    items = [item(f"i{n}") for n in range(4)]
    rows = [
        event(user_id=f"u{n % 5}", item_id=f"i{n % 4}", ts=YESTERDAY - timedelta(hours=n), value=n)
        for n in range(40)
    ]
    poison = [
        event(user_id="u0", item_id="i3", event_type="purchase", ts=soon, value=1e9),
        event(user_id="new", item_id="i1", ts=soon),
        event(user_id="u1", item_id="i2", event_type="purchase", arrived_at=soon),
        event(user_id="late", item_id="i0", event_type="rating", value=5.0, arrived_at=soon),
        event(user_id="", item_id="i0", arrived_at=soon),
    ]
    before = clean(tmp_path / "before", rows, items)
    after = clean(tmp_path / "after", poison[:2] + rows + poison[2:], items)
    features = learn(tmp_path / "before", before), learn(tmp_path / "after", after)
    assert bytes_of(before, features[0]) == bytes_of(after, features[1])
    assert after.n_after_as_of == len(poison)
    assert after.event_types == before.event_types


def test_the_same_rows_in_any_order_and_any_files_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [
        event(
            user_id=f"u{n % 97}", item_id=f"i{n % 31}", ts=YESTERDAY - timedelta(minutes=n % 1009)
        )
        | {"value": n / 7, "event_id": f"e{n // 2}" if n % 3 else None}
        for n in range(5_000)
    ]
    items = [item(f"i{n}", price=float(n)) for n in range(31)]
    one = clean(tmp_path / "one", rows, items)
    again = clean(tmp_path / "again", rows, items)
    shuffled = sorted(rows, key=lambda row: (row["value"] * 1e6 % 17, -row["value"]))
    for n in range(3):
        write(tmp_path / "split" / f"{n}.parquet", shuffled[n::3])
    split = clean(tmp_path / "two", tmp_path / "split", items[::-1])
    assert bytes_of(one) == bytes_of(again) == bytes_of(split)
    assert one.n_duplicates == 833  # two rows of every third id pair


def once(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Define what counts once: of rows that are the same event, the first to arrive, in order."""
    same: defaultdict[object, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        second = row["ts"].replace(microsecond=0, tzinfo=None)
        alike = (row["user_id"], row["item_id"], row["event_type"], second)
        same[row["event_id"] or alike].append(
            (
                row["arrived_at"] or AS_OF,  # unknown: last
                row["ts"].replace(tzinfo=None),
                row["user_id"],
                row["item_id"],
                row["event_type"],
                row["value"],
            )
        )
    return sorted(min(rows)[1:] for rows in same.values())


small_events = st.builds(
    event,
    user_id=st.sampled_from(["u1", "u2"]),
    item_id=st.sampled_from(["i1", "i2"]),
    event_type=st.sampled_from(["view", "purchase"]),
    ts=st.sampled_from([0, 1, 999_999, 1_000_000]).map(
        lambda late_us: YESTERDAY + timedelta(microseconds=late_us)
    ),
    value=st.sampled_from([0.0, 1.0, 2.0]),
    event_id=st.sampled_from([None, None, "", "e1", "e2"]),
    arrived_at=st.sampled_from([None, YESTERDAY, YESTERDAY + timedelta(hours=1)]),
)


@settings(max_examples=40)
@given(rows=st.lists(small_events, min_size=1, max_size=30))
def test_each_event_counts_once(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    root = tmp_path_factory.mktemp("log")
    log = clean(root, rows, [item(), item("i2")])
    columns = ("ts", "user_id", "item_id", "event_type", "value")
    expected = once(rows)
    assert [tuple(row[name] for name in columns) for row in read(log.events)] == expected
    assert log.n_duplicates == len(rows) - len(expected)


@pytest.mark.parametrize("stretch_rows", [1, 3, 100])
def test_days_sorted_in_turn_are_in_order_with_each_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stretch_rows: int
) -> None:
    monkeypatch.setattr("tasks.ingest.deduplicate._RANGE_ROWS", stretch_rows)
    monkeypatch.setattr("tasks.ingest.deduplicate._MARKS", stretch_rows)
    rows = [
        event(user_id=user, ts=YESTERDAY - timedelta(days=days, hours=hours), event_id=named)
        | {"arrived_at": None, "value": None}
        for days, hours, user, named in [
            (0, 1, "b", None), (2, 0, "a", "twice"), (5, 3, "c", None), (0, 1, "a", None),
            (5, 4, "a", None), (1, 0, "a", "twice"), (2, 0, "a", None), (5, 3, "c", None),
        ]
    ]  # fmt: skip
    columns = ("ts", "user_id", "item_id", "event_type", "value")
    log = clean(tmp_path, rows, [item()])
    assert [tuple(row[name] for name in columns) for row in read(log.events)] == once(rows)
    assert log.n_duplicates == 2


def test_an_empty_event_id_is_none(tmp_path: Path) -> None:
    rows = [event(event_id=""), event(event_id=None), event(event_id="", item_id="i2")]
    log = clean(tmp_path, rows, [item(), item("i2")])
    assert (log.n_events, log.n_duplicates) == (2, 1)


def test_the_catalogue_fills_in_what_is_left_out(tmp_path: Path) -> None:
    items = [
        item("b", category=None, available=False, tags=["x", "y"], price=2.0, title="B"),
        item("a", category="", created_at=AS_OF + timedelta(seconds=1)),
        item("c", created_at=AS_OF),
    ]
    rows = read(clean(tmp_path, [event(item_id="a")], items).items)
    assert [(row["item_id"], row["category"], row["available"], row["tags"]) for row in rows] == [
        ("a", "unknown", False, []),
        ("b", "unknown", False, ["x", "y"]),
        ("c", "books", True, []),
    ]


PICTURES = [
    ("https://cdn.example/a b.png", False),
    ("https://cdn.example/a.png?w=1&h=2#x", True),
    ("HTTP://cdn.example/a.png", True),
    (" /static/a.png ", True),
    ("a/b:c.png", True),
    ("../a.png", True),
    ("javascript:alert(1)", False),
    ("java\nscript:alert(1)", False),
    ("data:image/png;base64,AA", False),
    ("file:///etc/passwd", False),
    ("c:\\a.png", False),
    ("https:", False),
]


def test_pictures_have_http_or_relative_addresses_and_others_are_said(tmp_path: Path) -> None:
    given = [*PICTURES, (" ", None), (None, None)]
    items = [item(f"p{at:02}", image_url=url) for at, (url, _) in enumerate(given)]
    log = clean(tmp_path, [event(item_id="p00")], items)
    kept = [row["image_url"] for row in read(log.items)]
    assert kept == [url.strip() if url and shown else None for url, shown in given]
    refused = [url for url, shown in PICTURES if not shown]
    (said,) = (warning for warning in log.warnings if "pictures" in warning)
    assert said.startswith(f"items: {len(refused)} addresses of pictures are neither http(s)")
    assert f"as '{refused[0]}' of item 'p00'" in said


def test_types_are_counted_commonest_first(tmp_path: Path) -> None:
    rows = [event(event_type=kind, event_id=str(n)) for n, kind in enumerate("yxxzx")]
    log = clean(tmp_path, rows)
    assert list(log.event_types.items()) == [("x", 3), ("y", 1), ("z", 1)]


def test_what_teaches_nothing_is_counted_and_otherwise_not_read(tmp_path: Path) -> None:
    idle = [
        event(event_type="impression"),
        event(event_type="impression", item_id="gone"),
        event(event_type="profile_update", item_id=None),
    ]
    log = clean(tmp_path, [*idle, event(), event(item_id=None)], settings=EventSettings(0.5))
    assert (log.n_idle, log.n_events, log.rows_read) == (3, 1, 3)
    assert (log.quarantined, log.event_types) == ({"item_id missing": 1}, {"view": 1})


def test_what_says_that_there_is_no_category_is_none(tmp_path: Path) -> None:
    none = [None, "", " \t", "unknown", "Unknown", "NULL", r"\N", "None", "nan", "<NA>", " n/a"]
    names = ["nano", "none of these", "0", "-"]
    items = [item(f"i{at:02}", category=name) for at, name in enumerate([*none, *names])]
    log = clean(tmp_path, [event(item_id="i00")], items)
    assert [row["category"] for row in read(log.items)] == ["unknown"] * len(none) + names
