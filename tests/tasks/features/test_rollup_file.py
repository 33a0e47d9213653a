"""A rollup's file: read back as it was written, or not at all."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tasks.features.rollup import Rollup, roll_up
from tasks.features.rollup_file import (
    Addresses,
    days_in,
    read_day,
    read_merged,
    write_day,
    write_merged,
)
from tasks.ingest.daily_log import DAY_US

DAYS = {20_000: "a" * 32}


def small() -> Rollup:
    start = datetime(1970, 1, 1) + timedelta(days=20_000)  # noqa: DTZ001 - as the log has it
    events = {
        "user_id": ["é", "u1", "u1", "u1"],
        "item_id": ["i2", "i1", "i1", "i1"],
        "event_type": ["view", "rating", "view", "view"],
        "ts": pa.array([start + timedelta(hours=hour) for hour in range(4)], pa.timestamp("us")),
        "value": pa.array([None, 2.5, None, None], pa.float64()),
    }
    table = pa.table(events)
    for name in ("user_id", "item_id", "event_type"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table.column(name).dictionary_encode())
    return roll_up(table)


def said(rollup: Rollup) -> list[list[object]]:
    strings = [each.to_pylist() for each in (rollup.users, rollup.items, rollup.types)]
    return [*strings, *(column.tolist() for column in rollup.rows)]


class Form(NamedTuple):
    write: Callable[[IO[bytes], Rollup, Addresses], None]
    read: Callable[[Path], tuple[Rollup, dict[int, str]] | None]


@pytest.fixture(params=[Form(write_day, read_day), Form(write_merged, read_merged)])
def form(request: pytest.FixtureRequest) -> Form:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def path(tmp_path: Path, form: Form) -> Path:
    with (tmp_path / "rollup").open("wb") as file:
        form.write(file, small(), DAYS)
    return tmp_path / "rollup"


def test_what_was_written_is_read(path: Path, form: Form) -> None:
    found = form.read(path)
    assert found
    assert (said(found[0]), found[1]) == (said(small()), DAYS)


def test_the_days_of_the_merged_are_told_without_its_rows(tmp_path: Path) -> None:
    with (tmp_path / "merged").open("wb") as file:
        write_merged(file, small(), DAYS)
    assert days_in(tmp_path / "merged") == DAYS


def test_no_day_at_all_is_written_and_read(path: Path, form: Form) -> None:
    with path.open("wb") as file:
        form.write(file, Rollup.empty(), {})
    found = form.read(path)
    assert found
    assert (said(found[0]), found[1]) == (said(Rollup.empty()), {})


def test_a_day_is_read_by_any_tool(tmp_path: Path) -> None:
    with (tmp_path / "day").open("wb") as file:
        write_day(file, small(), DAYS)
    query = "SELECT unnest(item), unnest(last_us) FROM read_parquet(?)"
    rows = small().rows
    found = duckdb.execute(query, [str(tmp_path / "day")]).fetchall()
    assert found == list(zip(rows.item.tolist(), rows.last_us.tolist(), strict=True))


@pytest.mark.slow
def test_one_bit_wrong_anywhere_is_seen_or_says_nothing(path: Path, form: Form) -> None:
    content, bits = path.read_bytes(), np.random.default_rng(7)
    n_refused = 0
    for at in range(0, len(content), 7):
        wrong = bytearray(content)
        wrong[at] ^= 1 << int(bits.integers(8))
        path.write_bytes(wrong)
        found = form.read(path)
        n_refused += found is None
        assert found is None or (said(found[0]), found[1]) == (said(small()), DAYS), at
        days_in(path)
    assert n_refused > len(content) // 28, "the rest is padding"


def test_a_file_cut_anywhere_is_none(path: Path, form: Form) -> None:
    content = path.read_bytes()
    for size in range(0, len(content), 5):
        path.write_bytes(content[:size])
        assert form.read(path) is None


def test_rows_are_in_order_of_user_and_item_and_tell_more_only_where_there_is_more() -> None:
    rollup, hour_us = small(), 3_600_000_000
    rows, start_us = rollup.rows, 20_000 * DAY_US
    assert rollup.users.to_pylist() == ["u1", "é"]
    assert (rows.start.tolist(), rows.extra_start.tolist()) == ([0, 2, 3], [0, 2, 2])
    assert (rows.item.tolist(), rows.type.tolist()) == ([0, 0, 1], [0, 1, 1])
    assert ((rows.last_us - start_us) // hour_us).tolist() == [1, 3, 0]
    assert (rows.row.tolist(), rows.events.tolist()) == ([0, 1], [1, 2])
    assert ((rows.first_us - start_us) // hour_us).tolist() == [1, 2]
    assert (rows.valued.tolist(), rows.millionths.tolist()) == ([1, 0], [2_500_000, 0])
