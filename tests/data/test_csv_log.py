import gzip
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.csv_columns import map_columns, one_row_each
from data.csv_log import CsvMap, import_csv
from data.parquet import ITEMS, InputError
from tests.data.conftest import ROOT

LOG = """Who,What,Day,Quantity,Price,Dept,Land
007,a,2024-03-01 10:00:00,2,1.50,toys,UK
007,b,2024-03-01T12:00:00+02:00,1,3.00,toys,UK
8,a,someday,4,1.50,games,FR
8,,2024-03-02,1,2.00,,FR
,c,2024-03-03,-1,9.00,games,
8,a,2024-03-04,0,1.00,games,UK
"""
EVENT = {"user_id": "Who", "item_id": "What", "ts": "Day", "event_type": "'purchase'"}
MAP = CsvMap(event={**EVENT, "value": "Quantity * Price"}, item={"category": "Dept"})


def log_file(folder: Path, text: str = LOG, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return read


def test_events_are_expressions_over_the_columns(tmp_path: Path) -> None:
    done = import_csv([log_file(tmp_path)], tmp_path / "out", MAP)
    events = rows(done.events)
    assert [(e["user_id"], e["item_id"], e["value"]) for e in events] == [
        ("007", "a", 3.0),
        ("007", "b", 3.0),
        ("8", None, 2.0),
        (None, "c", -9.0),
        ("8", "a", 0.0),
        ("8", "a", 6.0),
    ]
    ten = datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert [e["ts"] for e in events[:2]] == [ten, ten]
    assert events[-1]["ts"] is None
    assert done.counts["rows read"] == done.counts["events written"] == 6
    assert done.counts["  event ts not converted, now null"] == 1
    assert done.users is None


def test_items_and_users_take_the_most_frequent_value_then_the_smallest(tmp_path: Path) -> None:
    item = {"category": "Dept", "price": "Price", "tags": "[Dept, Land]"}
    both = CsvMap(event=EVENT, item=item, user={"segment": "Land"})
    done = import_csv([log_file(tmp_path)], tmp_path / "out", both)
    assert [tuple(row.values()) for row in rows(done.items)] == [
        ("a", "games", 1.5, ["games", "FR"]),
        ("b", "toys", 3.0, ["toys", "UK"]),
        ("c", "games", 9.0, ["games", None]),
    ]
    assert done.users is not None
    assert [tuple(row.values()) for row in rows(done.users)] == [
        ("007", "UK", None),
        ("8", "FR", None),
    ]


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from("ab"), st.none() | st.sampled_from("xyz")),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=50, deadline=None)
def test_most_frequent_by_another_definition(pairs: list[tuple[str, str | None]]) -> None:
    with duckdb.connect() as db:
        db.execute("CREATE TABLE log (What VARCHAR, Dept VARCHAR)")
        db.executemany("INSERT INTO log VALUES (?, ?)", pairs)
        expressions = {"category": "Dept", "item_id": "What"}
        mapped = map_columns(db.table("log"), "item", expressions, ITEMS, ())
        found = dict(one_row_each(mapped, "item_id").project("item_id, category").fetchall())
    for key in {key for key, _ in pairs}:
        counts = Counter(value for k, value in pairs if k == key and value is not None)
        expected = min(counts, key=lambda value: (-counts[value], value), default=None)
        assert found[key] == expected


def test_items_from_a_csv_of_their_own(tmp_path: Path) -> None:
    items = log_file(tmp_path, "sku,name,genres,live\n01,A,x|y,yes\n02,B,,no\n", "items.csv")
    columns = CsvMap(
        event=EVENT,
        item={
            **{"title": "name", "category": "coalesce(genres, 'none')", "available": "live"},
            **{"item_id": "sku", "tags": "string_split(genres, '|')"},
        },
    )
    done = import_csv([log_file(tmp_path)], tmp_path / "out", columns, items)
    assert rows(done.items) == [
        {
            **{"item_id": "01", "category": "x|y", "title": "A", "available": True},
            "tags": ["x", "y"],
        },
        {"item_id": "02", "category": "none", "title": "B", "available": False, "tags": None},
    ]
    assert done.counts["items' rows read"] == 2


def test_several_files_zipped_or_not_are_one_log(tmp_path: Path) -> None:
    first = log_file(tmp_path)
    second = tmp_path / "more.csv.gz"
    second.write_bytes(
        gzip.compress(b"What,Who,Day,Quantity,Price,Dept,Land\nz,9,2024-01-01,1,1,d,\n")
    )
    done = import_csv([first, second], tmp_path / "out", MAP)
    assert done.counts["rows read"] == 7
    assert rows(done.events)[0]["item_id"] == "z"


def test_every_filter_is_counted_and_an_unknown_counts_as_dropped(tmp_path: Path) -> None:
    keep = {"nobody": "Who IS NOT NULL", "not games": "Dept = 'games'", "odd": "Quantity % 2 = 0"}
    columns = CsvMap(event=EVENT, item={"category": "Dept"}, keep=keep)
    done = import_csv([log_file(tmp_path)], tmp_path / "out", columns)
    dropped = [count for name, count in done.counts.items() if "dropped" in name]
    assert dropped == [1, 3, 0]
    assert done.counts["events written"] == 2


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["17850.0", "12.0"], ["12", "17850"]),
        (["1", "2.5"], ["1.0", "2.5"]),
        (["7", "07"], ["07", "7"]),
        (["1", "x"], ["1", "x"]),
        (["9007199254740993", "2"], ["2", "9007199254740993"]),
    ],
)
def test_a_column_is_a_number_only_where_nothing_of_it_is_lost(
    tmp_path: Path, ids: list[str], expected: list[str]
) -> None:
    lines = "".join(f"{name},a,2024-01-01,d\n" for name in ids)
    log = log_file(tmp_path, f"Who,What,Day,Dept\n{lines}")
    done = import_csv([log], tmp_path / "out", CsvMap(event=EVENT, item={"category": "Dept"}))
    assert sorted(row["user_id"] for row in rows(done.events)) == expected


@pytest.mark.parametrize(
    ("event", "item", "message"),
    [
        (
            {"value": "Prise * 2"},
            {},
            r"(?s)--event value: .*Prise.*The CSV has: Who \(VARCHAR\), .*",
        ),
        ({"value": "Dept * 2"}, {}, r"(?s)--event value: .*Dept \(VARCHAR\)"),
        ({"value": "count(*)"}, {}, "--event value"),
        ({"value": "1; DROP TABLE log"}, {}, "--event value"),
        ({"colour": "Dept"}, {}, "--event colour: no such column; ours: user_id"),
        ({}, {"category": "Department"}, "--item category: .*Department"),
        ({"ts": "Quantity"}, {}, "no row has a time"),
    ],
)
def test_errors_name_the_column(
    tmp_path: Path, event: dict[str, str], item: dict[str, str], message: str
) -> None:
    columns = CsvMap(event={**EVENT, **event}, item={"category": "Dept", **item})
    with pytest.raises(InputError, match=message):
        import_csv([log_file(tmp_path)], tmp_path / "out", columns)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--item category"):
        import_csv([log_file(tmp_path)], tmp_path / "out", CsvMap(event=EVENT, item={}))


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "data.csv_log", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_the_command_prints_what_to_run_next(tmp_path: Path) -> None:
    log, out = log_file(tmp_path), tmp_path / "an out"
    given = [f"--event={name}={sql}" for name, sql in EVENT.items()]
    done = command(str(log), str(out), *given, "--item=category=Dept", "--user=segment=Land")
    assert done.returncode == 0, done.stderr
    assert "rows read" in done.stdout
    expected = (
        f"-m flows.nightly --events '{out}/events.parquet' --items '{out}/items.parquet' "
        f"--users '{out}/users.parquet' --namespace imported --as-of 2024-03-05\n"
    )
    assert done.stdout.endswith(expected)


@pytest.mark.parametrize("bad", ["--event=user_id", "--event=user_id=Nobody"])
def test_the_command_fails_in_a_line_and_without_a_traceback(tmp_path: Path, bad: str) -> None:
    given = [f"--event={name}={sql}" for name, sql in EVENT.items() if name != "user_id"]
    done = command(str(log_file(tmp_path)), str(tmp_path), *given, bad, "--item=category=Dept")
    assert done.returncode == 1
    assert done.stderr.startswith("error: --event")
    assert "Traceback" not in done.stderr
