"""Findings: counted, with a sample and a remedy; and none in a log that is right."""

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import TooManyBadRows
from tasks.ingest.settings import EventSettings
from tests.tasks.logs import AS_OF, YESTERDAY, Row, clean, event, item, read, write

SECOND = timedelta(seconds=1)


def log_of(n: int) -> list[Row]:
    return [
        event(user_id=f"u{k % 9}", item_id=f"i{k % 7}", ts=YESTERDAY - k * timedelta(minutes=7))
        for k in range(n)
    ]


ITEMS = [item(f"i{n}") for n in range(7)]


def test_a_log_like_any_other_has_no_findings(tmp_path: Path) -> None:
    assert clean(tmp_path, log_of(200), ITEMS).warnings == ()


@pytest.mark.parametrize("late", [SECOND, 4 * SECOND, timedelta(hours=1)])
def test_a_log_that_is_there_twice_is_told_of(tmp_path: Path, late: timedelta) -> None:
    rows = log_of(200)
    again = [row | {"ts": row["ts"] + late} for row in rows]
    (warning,) = clean(tmp_path, rows + again, ITEMS).warnings
    when = "within 5 s" if late < timedelta(minutes=1) else "after 1:00:00"
    assert warning.startswith(
        f"events: 50% of them repeat the same user, item and type {when}, as u0, i0, view at "
    )
    assert warning.endswith(
        "Is a part of the log there twice? Leave it out, or give both the same event_id"
    )


def test_one_file_that_is_there_twice_under_new_event_ids_is_told_of(tmp_path: Path) -> None:
    rows = [row | {"event_id": f"e{n}"} for n, row in enumerate(log_of(200))]
    again = [row | {"event_id": f"{row['event_id']}-again"} for row in rows[:20]]
    (warning,) = clean(tmp_path, rows + again, ITEMS).warnings
    assert warning.startswith("events: 9% of them repeat the same user, item and type within 5 s")


def test_an_old_log_is_told_what_as_of_to_pass(tmp_path: Path) -> None:
    old = [event(ts=datetime(2011, 12, 9, 12, 50))]  # noqa: DTZ001 - as logs have it
    (warning,) = clean(tmp_path, old).warnings
    assert warning == (
        "events: the last is of 2011-12-09 12:50, 5,195 days before as_of (2026-03-01 00:00), and "
        "counts for less with every day of them. For a log that ended then: --as-of 2011-12-10"
    )
    assert clean(tmp_path / "fresh", [event(ts=AS_OF - timedelta(days=2))]).warnings == ()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("7", "007"), ("007", "7"), ("7.0", "7"), ("7", "7.0"), (" 7", "7"), ("SKU1", "sku1")],
)
def test_items_in_another_form_are_told_of(tmp_path: Path, theirs: str, ours: str) -> None:
    rows = [event(item_id=theirs, user_id=f"u{n}") for n in range(3)] + [event(item_id="gone")]
    log = clean(tmp_path, rows, [item(ours)])
    assert log.quarantined == {"unknown item": 4}, "ids are text, always"
    (warning,) = log.warnings
    assert warning == (
        f"events: 3 rows are of 1 unknown items that the catalogue has in another form, as "
        f"'{theirs}' where the catalogue has '{ours}' (2 items are unknown in all). Ids are text, "
        "always: write them alike in both"
    )


def test_too_many_bad_rows_say_why_ids_do_not_match(tmp_path: Path) -> None:
    with pytest.raises(TooManyBadRows, match=r"as '007' where the catalogue has '7'"):
        clean(tmp_path, [event(item_id="007")], [item("7")], settings=EventSettings())


def test_users_in_another_form_are_told_of(tmp_path: Path) -> None:
    users = [{"user_id": "42", "segment": "gold"}, {"user_id": "u1"}]
    rows = [event(), event(user_id="42.0"), event(user_id="stranger")]
    (warning,) = clean(tmp_path, rows, users=users).warnings
    assert warning.startswith(
        "users: 1 users of events stand in the users file in another form, as '42.0' where it has "
        "'42', and so have no segment."
    )


def test_a_price_that_is_none_costs_the_price_and_not_the_item(tmp_path: Path) -> None:
    prices = [float("nan"), float("inf"), -0.01, 0.0, None, 2.5]
    items = [item(f"i{n}", price=price) for n, price in enumerate(prices)]
    log = clean(tmp_path, log_of(1), items)
    assert [row["price"] for row in read(log.items)] == [None, None, None, 0.0, None, 2.5]
    assert log.quarantined == {}
    assert log.warnings == (
        "items: 3 prices are negative or not finite, as nan of item 'i0'; the items are kept, "
        "without a price",
    )


def test_times_that_are_none_are_told_with_a_sample(tmp_path: Path) -> None:
    rows = [event(ts=f"2024-07-01 1{n}:00:00 BST") for n in range(3)]
    log = clean(tmp_path, write(tmp_path / "e.parquet", rows, ts=pa.string()))
    (warning,) = log.warnings
    assert warning.startswith(
        "events: 3 values of ts are no time, as '2024-07-01 10:00:00 BST'. Write ISO 8601 with an "
        "offset or Z"
    )


def test_an_empty_log_has_no_findings(tmp_path: Path) -> None:
    table = pq.read_table(write(tmp_path / "one.parquet", [event()])).slice(0, 0)
    pq.write_table(table, tmp_path / "none.parquet")
    assert clean(tmp_path, tmp_path / "none.parquet").warnings == ()


def test_each_relation_is_held_to_its_own_share(tmp_path: Path) -> None:
    """Good items and users make no share of bad events look smaller."""
    items = [item(f"i{n}") for n in range(500)]
    users = [{"user_id": f"u{n}"} for n in range(500)]
    rows = [event(item_id="gone", user_id=f"u{n}") for n in range(52)]
    with pytest.raises(TooManyBadRows, match=r"^events: 52 of 52 rows \(100.00%\) are bad"):
        clean(tmp_path, rows, items, users, settings=EventSettings())
    with pytest.raises(TooManyBadRows, match=r"^users: 1 of 3 rows \(33.33%\) are bad.*missing: 1"):
        clean(tmp_path, log_of(9), items, [*users[:2], {"user_id": ""}], settings=EventSettings())
