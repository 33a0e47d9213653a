# ruff: noqa: DTZ001, DTZ901 - a clean log is in UTC and names no zone
"""Times and ids as tools write them: the right instant and the right text, or the quarantine."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.times import FIRST_US, LAST_US
from tests.tasks.logs import clean, event, item, read, write

NO_TIME = {"ts missing or unparsable": 1}
NOT_ISO_8601 = [
    *(f"2024-07-01 10:00:00 {zone}" for zone in ("BST", "IST", "CST", "EST", "PST", "UTC", "GMT")),
    *("2024-07-01 10:00:00BST", "2024-07-01 10:00:00 Europe/London", "2024-07-01 10:00 +01"),
    *("epoch", "infinity", "-infinity", "now", "today", "2024-07-01 (BC)", "2024-07-01 BC"),
    *("2024-7-1", "2024/07/01", "20240701T100000Z", "12024-07-01", "0000-01-01", "+2024-07-01"),
    *("2024-07-01T10:00:00+24:00", "2024-07-01T25:00:00", "2024-07-01T10:00:00+5", "2024-02-30"),
    *(
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "2024-07-01T24:00:01",
        "1719828000",
    ),
    *(
        "01.07.2024",
        "Jul 1 2024",
        "2024-07-01T10",
        "2024-07-01T10:00:00z",
        "NULL",
        "2024-07-01T1:00",
    ),
]
ISO_8601 = {
    "2024-07-01": datetime(2024, 7, 1),
    "2024-07-01 10:00": datetime(2024, 7, 1, 10),
    "2024-07-01T10:00:00Z": datetime(2024, 7, 1, 10),
    "2024-07-01T10:00:00.123456789Z": datetime(2024, 7, 1, 10, 0, 0, 123456),
    "2024-07-01T10:00:00,5": datetime(2024, 7, 1, 10, 0, 0, 500_000),
    "2024-07-01T24:00:00": datetime(2024, 7, 2),
    "2024-07-01 10:00:00+05": datetime(2024, 7, 1, 5),
    "2024-07-01T10:00+0530": datetime(2024, 7, 1, 4, 30),
    "2024-07-01T10:00:00-09:30": datetime(2024, 7, 1, 19, 30),
    " 2024-07-01 10:00:00 ": datetime(2024, 7, 1, 10),
    "0001-01-01": datetime(1, 1, 1),
}


def test_text_is_iso_8601_or_in_the_quarantine_as_it_was(tmp_path: Path) -> None:
    strings = [*ISO_8601, *NOT_ISO_8601]
    rows = [event(user_id=text, ts=text) for text in strings]
    log = clean(tmp_path, write(tmp_path / "e.parquet", rows, ts=pa.string()))
    assert {row["user_id"]: row["ts"] for row in read(log.events)} == ISO_8601
    records = [json.loads(row["record"]) for row in read(log.quarantine)]
    assert [record["ts_as_found"] for record in records] == NOT_ISO_8601
    assert log.quarantined == {"ts missing or unparsable": len(NOT_ISO_8601)}


def with_offset(at: datetime, minutes: int, separator: str) -> str:
    sign, (hours, rest) = "+-"[minutes < 0], divmod(abs(minutes), 60)
    return at.isoformat(separator) + f"{sign}{hours:02}:{rest:02}"


@settings(max_examples=10)
@given(
    st.lists(
        st.builds(
            with_offset,
            st.datetimes(datetime(1, 1, 2), datetime(2026, 2, 28)),
            st.integers(-14 * 60, 14 * 60),
            st.sampled_from("T "),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_any_offset_gives_the_instant_that_python_reads(
    tmp_path_factory: pytest.TempPathFactory, strings: list[str]
) -> None:
    root = tmp_path_factory.mktemp("log")
    rows = [event(user_id=str(at), ts=text) for at, text in enumerate(strings)]
    log = clean(root, write(root / "e.parquet", rows, ts=pa.string()))
    expected = {
        str(at): datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
        for at, text in enumerate(strings)
    }
    assert {row["user_id"]: row["ts"] for row in read(log.events)} == expected


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("statistics", [True, False])
def test_a_timestamp_out_of_range_is_a_bad_row_whatever_its_unit(
    tmp_path: Path, unit: str, zone: str | None, statistics: bool
) -> None:
    good = 1_704_103_200 * UNITS[unit]
    wrong = [1_704_103_200 * 10**9, 2**63 - 1, -(2**63)]
    if unit == "s":  # Parquet has no seconds: they are written as milliseconds
        wrong = [1_704_103_200 * 10**6]
    if unit == "ns":
        wrong = wrong[1:]
    table = pa.table(
        {
            "user_id": [f"u{n}" for n in range(len(wrong) + 1)],
            "item_id": ["i1"] * (len(wrong) + 1),
            "event_type": ["view"] * (len(wrong) + 1),
            "ts": pa.array([good, *wrong], pa.timestamp(unit, zone)),
        }
    )
    path = tmp_path / "e.parquet"
    pq.write_table(table, path, write_statistics=statistics)
    log = clean(tmp_path, path)
    assert [row["ts"] for row in read(log.events)] == [datetime(2024, 1, 1, 10)]
    assert log.quarantined == {"ts missing or unparsable": len(wrong)}
    bad = read(log.quarantine)
    assert [(Path(row["file"]), row["row"]) for row in bad] == [
        (path, n) for n in range(1, len(wrong) + 1)
    ]
    assert all(json.loads(row["record"])["ts_as_found"] for row in bad)


@pytest.mark.parametrize("days", [2**31 - 1, -(2**31), 5_000_000])
def test_a_date_out_of_range_is_a_bad_row(tmp_path: Path, days: int) -> None:
    path = write(tmp_path / "e.parquet", [event(ts=days)], ts=pa.date32())
    assert clean(tmp_path, path).quarantined == NO_TIME


def test_the_first_and_the_last_microsecond_are_times(tmp_path: Path) -> None:
    created = [FIRST_US - 1, FIRST_US, LAST_US, LAST_US + 1]
    rows = [item(f"i{n}", created_at=us) for n, us in enumerate(created)]
    log = clean(tmp_path, [event()], write(tmp_path / "items.parquet", rows))
    assert [row["created_at"] for row in read(log.items)] == [datetime.min, datetime.max]
    assert log.quarantined == {"created_at unparsable": 2}


def test_files_with_milliseconds_out_of_range_keep_their_other_columns(tmp_path: Path) -> None:
    rows = [
        event(ts=1_704_103_200_000, value=2.5, event_id="e1", user_id=7, arrived_at="2024-01-02"),
        event(ts=2**62, user_id=8, arrived_at="2024-01-02"),
    ]
    types = {
        "ts": pa.timestamp("ms"),
        "user_id": pa.int32(),
        "item_id": pa.dictionary(pa.int8(), pa.string()),
        "arrived_at": pa.string(),
    }
    write(tmp_path / "log/a.parquet", rows, **types)
    write(tmp_path / "log/b.parquet", [event(item_id="i2")])
    log = clean(tmp_path, tmp_path / "log", [item(), item("i2")])
    assert [(row["user_id"], row["item_id"], row["value"]) for row in read(log.events)] == [
        ("7", "i1", 2.5),
        ("u1", "i2", None),
    ]
    assert log.quarantined == NO_TIME


def test_ids_are_text_whatever_type_they_have(tmp_path: Path) -> None:
    ids = {
        "0.parquet": (pa.array([UUID(int=10).bytes], pa.uuid()), str(UUID(int=10))),
        "1.parquet": (pa.array([Decimal(10**37)], pa.decimal128(38)), str(10**37)),
        "2.parquet": (pa.array([2**64 - 1], pa.uint64()), str(2**64 - 1)),
        "3.parquet": (pa.array(["007"]), "007"),
        "4.parquet": (pa.array(["7.0"]), "7.0"),
        "5.parquet": (pa.array(["1.10"]), "1.10"),
        "6.parquet": (pa.array([7], pa.int64()), "7"),
    }
    for name, (users, _) in ids.items():
        columns = {"item_id": ["i1"], "event_type": ["view"], "ts": ["2024-01-01"]}
        (tmp_path / "log").mkdir(exist_ok=True)
        pq.write_table(pa.table({"user_id": users, **columns}), tmp_path / "log" / name)
    log = clean(tmp_path, tmp_path / "log")
    assert {row["user_id"] for row in read(log.events)} == {text for _, text in ids.values()}


def test_rows_take_a_column_from_their_path(tmp_path: Path) -> None:
    for kind in ("view", "it's", "__HIVE_DEFAULT_PARTITION__"):
        row = event(ts=datetime(2024, 1, 1) + timedelta(seconds=len(kind)))
        del row["event_type"]
        write(tmp_path / f"log/event_type={kind}/a.parquet", [row])
    log = clean(tmp_path, tmp_path / "log")
    assert [row["event_type"] for row in read(log.events)] == ["it's", "view"]
    assert log.quarantined == {"event_type missing": 1}
