"""The contract: each way to break it has one clear message, before anything is computed."""

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import InputError
from tasks.ingest import contract as inputs
from tasks.ingest.contract import (
    CONTRACT,
    InputSettings,
    RelationName,
    check_inputs,
    check_relation,
)
from tasks.settings import Settings
from tests.tasks.logs import event, flip_bit, item, write

GOOD: dict[RelationName, pa.Table] = {
    "events": pa.table(
        {
            "user_id": pa.array(["u1"]),
            "item_id": pa.array(["i1"]),
            "event_type": pa.array(["view"]),
            "ts": pa.array([datetime(2026, 1, 1)], pa.timestamp("us")),  # noqa: DTZ001 - naive
        }
    ),
    "items": pa.table({"item_id": ["i1"], "category": ["books"]}),
    "users": pa.table({"user_id": ["u1"]}),
}


def refusal(
    path: Path, name: RelationName = "events", columns: dict[str, str] | None = None
) -> str:
    with pytest.raises(InputError) as raised:
        check_relation(name, path, columns or {}, skip_broken_files=False)
    return str(raised.value)


def with_column(name: RelationName, column: str, values: pa.Array) -> pa.Table:
    table = GOOD[name]
    kept = table.drop_columns([column]) if column in table.column_names else table
    return kept.append_column(column, values)


def save(table: pa.Table, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, write_page_checksum=True)
    return path


REQUIRED = [(r, c) for r, cs in CONTRACT.items() for c, (_, required) in cs.items() if required]


@pytest.mark.parametrize(("name", "column"), REQUIRED)
def test_a_missing_column_names_file_column_found_and_expected(
    tmp_path: Path, name: RelationName, column: str
) -> None:
    path = save(GOOD[name].rename_columns({column: "other"}), tmp_path / "log.parquet")
    message = refusal(path, name)
    expected = {"ts": "a timestamp (or ISO 8601 text)"}.get(column, "text or integer")
    assert message.startswith(
        f"{name} {path}: column '{column}' is missing, expected {expected} for {column}; found "
    )
    assert all(found in message for found in GOOD[name].column_names if found != column)
    assert "other" in message


def test_the_remedy_for_a_missing_column_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(GOOD["events"].rename_columns({"user_id": "Customer ID"}), tmp_path / "l.parquet")
    variable, value = re.findall(r"(NIGHTSHELF_\w+)='(.*?)'", refusal(path))[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, value.replace("<name in the file>", "Customer ID"))
    columns = Settings().inputs.events
    group = check_relation("events", path, columns, skip_broken_files=False).groups[0]
    assert group.columns["user_id"] == "Customer ID"


WRONG: list[tuple[RelationName, str, pa.Array, str, str]] = [
    ("events", "user_id", pa.array([1.5]), "double", "text or integer"),
    ("events", "item_id", pa.array([b"i1"]), "binary", "text or integer"),
    ("events", "user_id", pa.array([Decimal("1.10")]), "decimal128(3, 2)", "text or integer"),
    (
        "events",
        "user_id",
        pa.array([b"u" * 16], pa.binary(16)),
        "fixed_size_binary[16]",
        "text or integer",
    ),
    ("events", "user_id", pa.array([1], pa.decimal256(40)), "decimal256(40, 0)", "text or integer"),
    ("events", "event_type", pa.array([True]), "bool", "text or integer"),
    ("events", "ts", pa.array([1767225600]), "int64", "a timestamp (or ISO 8601 text)"),
    ("events", "value", pa.array(["12,50"]), "string", "a number"),
    ("events", "arrived_at", pa.array([0.5]), "double", "a timestamp (or ISO 8601 text)"),
    ("items", "item_id", pa.array([1.0]), "double", "text or integer"),
    ("items", "category", pa.array([["a"]]), "list<element: string>", "text or integer"),
    ("items", "title", pa.array([1.0]), "double", "text or integer"),
    ("items", "price", pa.array(["£2"]), "string", "a number"),
    ("items", "available", pa.array(["yes"]), "string", "true or false"),
    ("items", "created_at", pa.array([1]), "int64", "a timestamp (or ISO 8601 text)"),
    ("items", "tags", pa.array(["a,b"]), "string", "a list of text"),
    ("items", "tags", pa.array([[1, 2]]), "list<element: int64>", "a list of text"),
    ("users", "user_id", pa.array([{"id": 1}]), "struct<id: int64>", "text or integer"),
    ("users", "segment", pa.array([False]), "bool", "text or integer"),
    ("users", "created_at", pa.array([2026]), "int64", "a timestamp (or ISO 8601 text)"),
]


@pytest.mark.parametrize(("name", "column", "values", "found", "expected"), WRONG)
def test_a_wrong_type_names_file_column_found_and_expected(
    tmp_path: Path, name: RelationName, column: str, values: pa.Array, found: str, expected: str
) -> None:
    path = save(with_column(name, column, values), tmp_path / "log.parquet")
    message = f"{name} {path}: column '{column}' is {found}, expected {expected} for {column}. "
    assert refusal(path, name).startswith(message)


@pytest.mark.parametrize(("name", "column", "values", "found", "expected"), WRONG)
def test_the_remedy_for_a_wrong_type_works(
    tmp_path: Path, name: RelationName, column: str, values: pa.Array, found: str, expected: str
) -> None:
    path = save(with_column(name, column, values), tmp_path / "old.parquet")
    sql = refusal(path, name).partition("in DuckDB: ")[2]
    sql = sql.replace("'old.", f"'{tmp_path}/old.").replace("'new.", f"'{tmp_path}/new.")
    if values.to_pylist() in (["12,50"], ["£2"]):  # no SQL can know that number
        with pytest.raises(duckdb.ConversionException, match=values[0].as_py()):
            duckdb.sql(sql)
        return
    duckdb.sql(sql)
    check_relation(name, tmp_path / "new.parquet", {}, skip_broken_files=False)


UNREAD = [
    ("event_id", pa.array([["e1"]]), "list<element: string>"),
    ("event_id", pa.array([1.0]), "double"),
    ("event_id", pa.array(['{"id": 1}'], pa.json_()), "extension<arrow.json>"),
    ("session_id", pa.array([b"s"]), "binary"),
]


@pytest.mark.parametrize(("column", "values", "found"), UNREAD)
def test_an_optional_id_of_a_wrong_type_is_left_unread_and_said_so(
    tmp_path: Path, column: str, values: pa.Array, found: str
) -> None:
    table = with_column("events", column, values)
    paths = [save(table, tmp_path / f"{n}.parquet") for n in range(3)]
    relation = check_relation("events", tmp_path, {}, skip_broken_files=False)
    assert [group.files for group in relation.groups] == [tuple(paths)]
    assert column not in relation.groups[0].columns
    (warning,) = relation.warnings
    assert warning.startswith(
        f"events {paths[0]} and 2 more files: column '{column}' is {found}, expected text or "
        f"integer for {column}, so it is not read ("
    )
    assert "COPY (SELECT * REPLACE (" in warning


TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
INTEGERS = [pa.int8(), pa.uint64(), pa.int32()]
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - as many logs have it
RIGHT: list[tuple[RelationName, str, pa.Array]] = [
    *(("events", "user_id", pa.array(["u1"], kind)) for kind in TEXTS),
    *(("events", "item_id", pa.array([7], kind)) for kind in INTEGERS),
    *(("events", "ts", pa.array([NAIVE], pa.timestamp(unit))) for unit in ("s", "ms", "us", "ns")),
    ("events", "user_id", pa.array([7], pa.decimal128(38))),
    ("events", "item_id", pa.array([7], pa.decimal128(5))),
    ("events", "user_id", pa.array([UUID(int=1).bytes], pa.uuid())),
    ("events", "event_id", pa.array([UUID(int=1).bytes], pa.uuid())),
    ("events", "ts", pa.array([NAIVE], pa.timestamp("us", "Europe/Paris"))),
    ("events", "ts", pa.array(["2026-01-01T00:00:00+01:00"])),
    ("events", "ts", pa.array([NAIVE.date()])),
    ("events", "value", pa.array([5], pa.uint8())),
    ("events", "value", pa.array([0.5], pa.float32())),
    ("events", "value", pa.array([Decimal("12.50")])),
    ("items", "tags", pa.array([[]])),
    ("items", "tags", pa.array([["a"]], pa.large_list(pa.large_string()))),
    ("items", "price", pa.nulls(1)),
    ("items", "category", pa.nulls(1)),
]


@pytest.mark.parametrize(("name", "column", "values"), RIGHT)
def test_what_other_tools_write_is_accepted(
    tmp_path: Path, name: RelationName, column: str, values: pa.Array
) -> None:
    path = save(with_column(name, column, values), tmp_path / "log.parquet")
    relation = check_relation(name, path, {}, skip_broken_files=False)
    assert relation.groups[0].files == (path,)


def test_names_that_sql_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    path = save(GOOD["events"].append_column("USER_ID", pa.array(["x"])), tmp_path / "a.parquet")
    message = refusal(path)
    assert message.startswith(f"events {path}: more than one column answers to 'user_id'")
    assert "found user_id, item_id, event_type, ts, USER_ID. Rename the others." in message

    twice = pa.table([*GOOD["users"].columns, pa.array(["x"])], names=["user_id", "user_id"])
    path = save(twice, tmp_path / "b.parquet")
    assert "more than one column answers to 'user_id'" in refusal(path, "users")

    path = save(with_column("items", "file_row_number", pa.array([1])), tmp_path / "c.parquet")
    assert "more than one column answers to 'file_row_number'" in refusal(path, "items")


def test_other_columns_that_clash_among_themselves_do_no_harm(tmp_path: Path) -> None:
    extra = pa.array([1])
    table = GOOD["users"].append_column("a", extra).append_column("A", extra)
    path = save(table, tmp_path / "users.parquet")
    groups = check_relation("users", path, {}, skip_broken_files=False).groups
    assert groups[0].columns == {"user_id": "user_id"}


def test_a_column_map_must_name_what_the_contract_and_the_file_have(tmp_path: Path) -> None:
    path = save(GOOD["events"], tmp_path / "log.parquet")
    message = refusal(path, columns={"usr_id": "CustomerID"})
    assert message == (
        "events: the column map names usr_id, which the contract does not know; it knows "
        "user_id, item_id, event_type, ts, value, event_id, arrived_at, session_id"
    )
    message = refusal(path, columns={"value": "Revenue"})
    assert "column 'Revenue' is missing, expected a number for value; found user_id" in message


def test_all_problems_of_all_relations_are_told_at_once(tmp_path: Path) -> None:
    table = with_column("events", "ts", pa.array([3])).drop_columns(["item_id"])
    events = [save(table, tmp_path / f"log/{n}.parquet") for n in range(3)]
    items = save(GOOD["users"], tmp_path / "items.parquet")
    with pytest.raises(InputError) as raised:
        check_inputs(tmp_path / "log", items, tmp_path / "gone", InputSettings())
    lines = str(raised.value).split("\n")
    assert [line.partition(". ")[0].partition(", expected")[0] for line in lines] == [
        f"events {events[0]} and 2 more files: column 'item_id' is missing",
        f"events {events[0]} and 2 more files: column 'ts' is int64",
        f"items {items}: column 'item_id' is missing",
        f"items {items}: column 'category' is missing",
        f"users: {tmp_path}/gone does not exist; expected a Parquet file or a folder".partition(
            ", expected"
        )[0],
    ]


def test_a_column_that_stands_in_the_path_alone_is_read_from_there(tmp_path: Path) -> None:
    table = GOOD["events"].drop_columns(["event_type"])
    for kind in ("view", "add%20to cart", "__HIVE_DEFAULT_PARTITION__"):
        save(table, tmp_path / f"date=2026-01-01/event_type={kind}/0.parquet")
    save(GOOD["events"], tmp_path / "event_type=other/0.parquet")  # what the file says counts
    groups = check_relation("events", tmp_path, {}, skip_broken_files=False).groups
    assert [(group.files[0].parent.name, group.in_path) for group in groups] == [
        ("event_type=__HIVE_DEFAULT_PARTITION__", {}),
        ("event_type=add%20to cart", {"event_type": "add to cart"}),
        ("event_type=view", {"event_type": "view"}),
        ("event_type=other", {}),
    ]


def test_a_column_in_the_path_must_be_of_its_kind(tmp_path: Path) -> None:
    save(GOOD["items"], tmp_path / "available=true/price=2.5/0.parquet")
    path = save(GOOD["items"], tmp_path / "available=yes/0.parquet")
    assert refusal(tmp_path, "items") == (
        f"items {path}: 'available=yes' in the path is not true or false for available. "
        "Write the column into the files."
    )


def test_a_name_in_the_path_can_be_mapped(tmp_path: Path) -> None:
    table = GOOD["events"].drop_columns(["event_type"])
    save(table, tmp_path / "kind=view/0.parquet")
    assert "found user_id, item_id, ts, kind= in the path. If it has" in refusal(tmp_path)
    relation = check_relation("events", tmp_path, {"event_type": "kind"}, skip_broken_files=False)
    assert relation.groups[0].in_path == {"event_type": "view"}


def test_one_bad_file_among_good_ones_is_the_one_named(tmp_path: Path) -> None:
    save(GOOD["events"], tmp_path / "date=2026-01-01" / "a.parquet")
    late = with_column("events", "ts", pa.array([3]))
    bad = save(late, tmp_path / "date=2026-01-02" / "a.parquet")
    assert refusal(tmp_path).startswith(f"events {bad}: column 'ts' is int64")


def test_files_are_grouped_by_columns_and_types(tmp_path: Path) -> None:
    text, number = GOOD["users"], pa.table({"user_id": [1]})
    more = with_column("users", "unused", pa.array([1.0]))
    files = [save(t, tmp_path / f"{n}.parquet") for n, t in enumerate([text, number, text, more])]
    groups = check_relation("users", tmp_path, {}, skip_broken_files=False).groups
    assert [group.files for group in groups] == [(files[0], files[2], files[3]), (files[1],)]


def half(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def flipped(path: Path) -> Path:
    return flip_bit(path, "user_id")


def tail_zeroed(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[:-100] + bytes(100))
    return path


BREAKAGES: list[tuple[Any, str]] = [
    (half, "truncated or still being written"),
    (empty, "empty, 0 bytes"),
    (flipped, "damaged (could not verify page integrity, CRC checksum verification failed"),
    (tail_zeroed, "truncated or still being written"),
]


def log_with_broken_file(root: Path, break_file: Any) -> Path:
    write(root / "date=2026-02-27" / "a.parquet", [event()])
    broken: Path = break_file(write(root / "date=2026-02-28" / "b.parquet", [event()]))
    return broken


@pytest.mark.parametrize(("break_file", "reason"), BREAKAGES)
def test_a_broken_file_is_named_and_stops_the_night(
    tmp_path: Path, break_file: Any, reason: str
) -> None:
    broken = log_with_broken_file(tmp_path, break_file)
    message = refusal(tmp_path)
    assert message.startswith(
        f"events: 1 unreadable file(s), so nothing was computed. {broken}: {reason}"
    )
    assert message.endswith("NIGHTSHELF_INPUTS__SKIP_BROKEN_FILES=true")


@pytest.mark.parametrize(("break_file", "reason"), BREAKAGES)
def test_a_setting_lets_the_night_go_on_without_it(
    tmp_path: Path, break_file: Any, reason: str
) -> None:
    broken = log_with_broken_file(tmp_path / "log", break_file)
    items = write(tmp_path / "items.parquet", [item()])
    settings = InputSettings(skip_broken_files=True)
    checked = check_inputs(tmp_path / "log", items, None, settings)
    assert [group.files for group in checked.events.groups] == [
        (tmp_path / "log" / "date=2026-02-27" / "a.parquet",)
    ]
    assert list(checked.set_aside) == [str(broken)]
    assert checked.set_aside[str(broken)].startswith(reason)


def test_nothing_but_broken_files_stops_the_night_all_the_same(tmp_path: Path) -> None:
    one = half(write(tmp_path / "a.parquet", [event()]))
    two = empty(write(tmp_path / "b.parquet", [event()]))
    with pytest.raises(InputError) as raised:
        check_relation("events", tmp_path, {}, skip_broken_files=True)
    message = str(raised.value)
    assert message.startswith("events: 2 unreadable file(s), so nothing was computed.")
    assert f"{one}: truncated" in message
    assert f"{two}: empty, 0 bytes" in message
    assert message.endswith("No other file is left: restore them")


def test_every_relation_is_checked_before_anything_is_computed(tmp_path: Path) -> None:
    events = write(tmp_path / "events.parquet", [event()])
    items = write(tmp_path / "items.parquet", [item()])
    users = save(pa.table({"uid": [1]}), tmp_path / "users.parquet")
    with pytest.raises(InputError, match=r"^users .*column 'user_id' is missing.*found uid"):
        check_inputs(events, items, users, InputSettings())
    with pytest.raises(InputError, match=r"^items: .*gone\.parquet does not exist"):
        check_inputs(events, tmp_path / "gone.parquet", users, InputSettings())
    assert check_inputs(events, items, None, InputSettings()).users.groups == ()


def test_the_contract_is_documented_where_it_is_checked() -> None:
    row = re.compile(r"^(events|items|users) +(\w+) +(yes|no) ", re.MULTILINE)
    rows = row.findall(inputs.__doc__ or "")
    table = {(relation, column): needed == "yes" for relation, column, needed in rows}
    assert table == {
        (relation, column): required
        for relation, columns in CONTRACT.items()
        for column, (_, required) in columns.items()
    }


def test_each_relation_that_is_there_has_a_digest(tmp_path: Path) -> None:
    paths = {name: save(table, tmp_path / name / "a.parquet") for name, table in GOOD.items()}
    settings = InputSettings()
    whole = check_inputs(paths["events"], paths["items"], paths["users"], settings).digests
    assert list(whole) == ["events", "items", "users"]
    assert len(set(whole.values())) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in whole.values())
    without = check_inputs(paths["events"], paths["items"], None, settings).digests
    assert without == {name: whole[name] for name in ("events", "items")}


def test_one_file_of_any_name_and_a_folder_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    def digest(path: Path) -> str:
        return check_relation("items", path, {}, skip_broken_files=False).digest

    table = GOOD["items"]
    one, two = (save(table, tmp_path / name / "x.parquet") for name in ("one", "two"))
    renamed = save(table, tmp_path / "three/y.parquet")
    assert digest(one) == digest(two) == digest(renamed)
    assert digest(one.parent) == digest(two.parent) != digest(renamed.parent)
    save(table, two.with_name("z.parquet"))
    assert digest(one.parent) != digest(two.parent)


def test_files_that_differ_in_type_are_all_in_the_digest(tmp_path: Path) -> None:
    def digest() -> str:
        return check_relation("items", tmp_path, {}, skip_broken_files=False).digest

    save(pa.table({"item_id": ["b"], "category": ["x"]}), tmp_path / "a.parquet")
    save(pa.table({"item_id": [1], "category": ["x"]}), tmp_path / "b.parquet")
    before = digest()
    save(pa.table({"item_id": [2], "category": ["x"]}), tmp_path / "b.parquet")
    assert digest() != before


def test_a_file_that_is_set_aside_is_not_in_the_digest(tmp_path: Path) -> None:
    def digest() -> str:
        return check_relation("items", tmp_path, {}, skip_broken_files=True).digest

    save(GOOD["items"], tmp_path / "a.parquet")
    before = digest()
    (tmp_path / "b.parquet").write_bytes(b"cut")
    assert digest() == before
    save(GOOD["items"], tmp_path / "b.parquet")
    assert digest() != before, "restored, it is read, and counts"
