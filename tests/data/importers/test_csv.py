import gzip
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.importers.csv_dialect import Dialect
from data.importers.csv_import import CsvMap, import_csv
from data.schema import Imported, InputError
from tests.conftest import ROOT

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


def account(done: Imported) -> list[str]:
    return [line for count in done.rows for line in count.lines()]


def test_events_are_expressions_over_the_columns(tmp_path: Path) -> None:
    done = import_csv([log_file(tmp_path)], tmp_path / "out", MAP)
    events = rows(done.events)
    assert [(e["user_id"], e["item_id"], e["value"]) for e in events] == [
        ("007", "a", 3.0),
        ("007", "b", 3.0),
        ("8", "a", 0.0),
    ]
    ten = datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert [e["ts"] for e in events[:2]] == [ten, ten]
    assert account(done) == [
        "6 rows read = 3 kept + 3 refused",
        "  1 refused: no user_id (log.csv line 6: empty)",
        "  1 refused: no item_id (log.csv line 5: empty)",
        "  1 refused: ts is no ISO 8601 time (log.csv line 4: 'someday')",
    ]
    assert done.counts["rows read"] == 6
    assert done.counts["rows kept"] == done.counts["events written"] == 3
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
@settings(max_examples=10, deadline=None)
def test_most_frequent_by_another_definition(pairs: list[tuple[str, str | None]]) -> None:
    with TemporaryDirectory() as folder:
        text = "".join(f"u,{what},2024-01-01,{dept or ''}\n" for what, dept in pairs)
        log = log_file(Path(folder), f"Who,What,Day,Dept\n{text}")
        done = import_csv([log], Path(folder) / "out", CsvMap(EVENT, {"category": "Dept"}))
        found = {row["item_id"]: row["category"] for row in rows(done.items)}
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
    assert account(done)[-1] == "2 items' rows read = 2 kept + 0 refused"


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
    assert account(done) == [
        "6 rows read = 1 kept + 5 refused",
        "  1 refused: nobody (log.csv line 6: 'c,2024-03-03,-1,9.00,games')",
        "  3 refused: not games (log.csv line 2: '007,a,2024-03-01 10:00:00,2,1.50,toys,UK')",
        "  1 refused: ts is no ISO 8601 time (log.csv line 4: 'someday')",
    ]
    assert done.counts["events written"] == 1


@pytest.mark.parametrize(
    "ids",
    [
        *(["1.10", "1.1", "1.2"], ["7", "7.5"], ["007", "7", "7.0"], ["1e5", "100000"]),
        *(["true", "false"], ["2024-01-01", "20240101"], ["9007199254740993", "2"], ["#g0", "a"]),
    ],
)
def test_ids_are_text_as_written(tmp_path: Path, ids: list[str]) -> None:
    lines = "".join(f"{name},{name},2024-01-01,{name},{name},{name}\n" for name in ids)
    log = log_file(tmp_path, f"Who,What,Day,Dept,Session,Land\n{lines}")
    event = {**EVENT, "session_id": "Session", "event_id": "Session", "event_type": "Dept"}
    columns = CsvMap(event, {"category": "Dept", "title": "Dept"}, {"segment": "Land"})
    done = import_csv([log], tmp_path / "out", columns)
    events, items = rows(done.events), rows(done.items)
    assert done.users is not None
    for name in ("user_id", "item_id", "session_id", "event_id", "event_type"):
        assert sorted(row[name] for row in events) == sorted(ids)
    for name in ("item_id", "category", "title"):
        assert sorted(row[name] for row in items) == sorted(ids)
    assert sorted(row["segment"] for row in rows(done.users)) == sorted(ids)


@pytest.mark.parametrize(
    ("column", "expression", "expected"),
    [
        ("value", "Rating * 2", [20.0, 18.0]),
        ("value", "CASE WHEN Code = '007' THEN 1 ELSE 0 END", [1.0, 0.0]),
        ("event_type", "CASE WHEN Rating >= 9.5 THEN 'like' ELSE 'view' END", ["like", "view"]),
        ("event_type", "CASE WHEN Rating > Least THEN 'like' ELSE 'view' END", ["like", "view"]),
        ("event_type", "CASE WHEN Rating = Least THEN 'same' ELSE 'view' END", ["view", "same"]),
        ("session_id", "CASE WHEN Code <> 0 THEN Code ELSE '-' END", ["007", "7"]),
        ("session_id", "concat_ws(':', Code, Rating)", ["007:10.0", "7:9"]),
        ("session_id", "upper(Code)", ["007", "7"]),
        ("ts", "to_timestamp(Seconds)", ["2017-07-14T02:40:00", "2017-07-14T02:40:01"]),
        ("ts", "epoch_ms(Seconds * 1000)", ["2017-07-14T02:40:00", "2017-07-14T02:40:01"]),
        ("ts", "strptime(Day, '%Y%m%d')", ["2024-01-31T00:00:00", "2024-02-01T00:00:00"]),
    ],
)
def test_columns_are_numbers_where_an_expression_needs_them(
    tmp_path: Path, column: str, expression: str, expected: list[object]
) -> None:
    text = "Code,Rating,Least,Seconds,Day\n007,10.0,9,1500000000,20240131\n"
    log = log_file(tmp_path, text + "7,9,9,1500000001,20240201\n")
    event = {
        "user_id": "Code",
        "item_id": "Code",
        "event_type": "'x'",
        "ts": "to_timestamp(Seconds)",
    }
    columns = CsvMap({**event, column: expression}, {"category": "'c'"})
    found = [row[column] for row in rows(import_csv([log], tmp_path / "out", columns).events)]
    if column == "ts":
        found = [time.strftime("%Y-%m-%dT%H:%M:%S") for time in found]
    assert found == expected


def test_null_words_are_no_users_unless_asked_for(tmp_path: Path) -> None:
    words = ["NULL", "\\N", "nan", "NaN", "None", "NA", " ", "null", "Nan"]
    lines = "".join(f"{word},i,2024-01-01,{word}\n" for word in words)
    log = log_file(tmp_path, f"Who,What,Day,Price\n{lines}")
    columns = CsvMap({**EVENT, "value": "Price * 2"}, {"category": "'c'"}, {"segment": "What"})
    with pytest.raises(InputError, match=r"--event value: .*Price is text .*line 10: 'Nan'"):
        import_csv([log], tmp_path / "out", columns)
    columns = CsvMap(EVENT, columns.item, columns.user)
    done = import_csv([log], tmp_path / "out", columns)
    assert account(done) == [
        "9 rows read = 1 kept + 8 refused",
        "  1 refused: no user_id (log.csv line 8: ' ')",
        "  7 refused: user_id is a null word (log.csv line 2: 'NULL')",
    ]
    assert done.users is not None
    assert [row["user_id"] for row in rows(done.users)] == ["Nan"]
    done = import_csv([log], tmp_path / "kept", columns, null_words=())
    assert done.counts["rows kept"] == 8


def test_a_file_name_is_no_pattern_and_columns_go_by_name(tmp_path: Path) -> None:
    head = "Who,What,Day\n"
    starred = log_file(tmp_path, f"{head}u1,i1,2024-01-01\nu2,i2,2024-01-02\n", "x*[a]?.csv")
    other = log_file(tmp_path, "day, WHO ,What\n2024-01-03,v1,i1\n", "xya0.csv")
    columns = CsvMap(EVENT, {"category": "'c'"})
    done = import_csv([starred, other], tmp_path / "out", columns)
    assert [row["user_id"] for row in rows(done.events)] == ["u1", "u2", "v1"]


@pytest.mark.parametrize("text", ["customer,What,Day\nu,i,2024-01-03\n", "u,i,2024-01-05\n"])
def test_each_file_needs_the_columns(tmp_path: Path, text: str) -> None:
    good = log_file(tmp_path, "Who,What,Day,More\nu1,i1,2024-01-01,m\n", "a.csv")
    bad = log_file(tmp_path, text, "b.csv")
    with pytest.raises(InputError, match=r"--event user_id: .*b\.csv has no column Who; .*--names"):
        import_csv([good, bad], tmp_path / "out", CsvMap(EVENT, {"category": "'c'"}))
    assert not (tmp_path / "out").exists()


def test_files_without_a_header_are_named(tmp_path: Path) -> None:
    log = log_file(tmp_path, "u1,i1,2024-01-01\nu2,i2,2024-01-02\n")
    dialect = Dialect(names=("Who", "What", "Day"))
    columns = CsvMap(EVENT, {"category": "'c'"})
    done = import_csv([log], tmp_path / "out", columns, dialect=dialect)
    assert account(done) == ["2 rows read = 2 kept + 0 refused"]


@pytest.mark.parametrize(
    ("event", "item", "message"),
    [
        (
            {"value": "Prise * 2"},
            {},
            r"--event value: .*log\.csv has no column Prise; its first line has: Who, What, .*",
        ),
        ({"value": "Dept * 2"}, {}, r"--event value: .*Dept is text \(log\.csv line 2: 'toys'\)"),
        ({"value": "count(*)"}, {}, "--event value"),
        ({"value": "1; DROP TABLE log"}, {}, "--event value"),
        ({"colour": "Dept"}, {}, "--event colour: no such column; ours: user_id"),
        ({}, {"category": "Department"}, "--item category: .*Department"),
        ({"value": "Dept, Dept"}, {}, "--event value"),
        ({"value": "count(*) FROM log"}, {}, "--event value"),
        ({"ts": "Quantity"}, {}, r"no row is left: 6 rows read = 0 kept \+ 6 refused"),
    ],
)
def test_errors_name_the_column(
    tmp_path: Path, event: dict[str, str], item: dict[str, str], message: str
) -> None:
    columns = CsvMap(event={**EVENT, **event}, item={"category": "Dept", **item})
    with pytest.raises(InputError, match=message):
        import_csv([log_file(tmp_path)], tmp_path / "out", columns)
    assert not (tmp_path / "out").exists()


def test_a_filter_that_fails_on_a_row_is_named(tmp_path: Path) -> None:
    columns = CsvMap(EVENT, {"category": "Dept"}, keep={"x": "CAST(Dept AS INTEGER) > 0"})
    with pytest.raises(InputError, match=r"--where CAST\(Dept AS INTEGER\) > 0: .*'toys'"):
        import_csv([log_file(tmp_path)], tmp_path / "out", columns)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--item category"):
        import_csv([log_file(tmp_path)], tmp_path / "out", CsvMap(event=EVENT, item={}))


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "data.importers.csv", *arguments],
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
    assert done.stdout.startswith("6 rows read = 3 kept + 3 refused\n  1 refused: no user_id ")
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
