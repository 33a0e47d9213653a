"""SQL expressions over a table of text as columns of ours.

A column is text, as written: ``1.10`` and ``007`` are ids. Where an expression does not fit text
(arithmetic, a comparison with a number, ``to_timestamp(...)``), the columns that it takes as
numbers are numbers, if every value is one; where a number is wanted (`value`, `price`), they are
from the start.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import duckdb
import pyarrow as pa

from data.csv_table import LINE, Table, quoted
from data.parquet import InputError

_SQL_TYPES = {"string": "VARCHAR", "double": "DOUBLE", "bool": "BOOLEAN"}
#: With more columns of numbers, only all as text and all as numbers are tried.
_MAX_TRIED = 8
_IN = ("COMPARE_IN", "COMPARE_NOT_IN")
#: Kind of node -> its children that are its own result.
_PASSED_ON = {
    "CASE_EXPR": ("case_checks", "then_expr", "else_expr"),
    "OPERATOR_COALESCE": ("children",),
}


@dataclass(frozen=True)
class Expression:
    """An expression that fits its table: `sql` over text columns, and the columns it names."""

    option: str
    given: str
    sql: str
    columns: tuple[str, ...]


def fit(
    db: duckdb.DuckDBPyConnection, table: Table, option: str, given: str, *, numbers: bool = False
) -> Expression:
    """Fit an expression to a table; `InputError` says what does not fit, and in which file."""
    tree = _parse(db, option, given)
    named = list(dict.fromkeys(_columns(tree)))
    columns = table.columns
    known = list(dict.fromkeys(columns[n.lower()] for n in named if n.lower() in columns))
    _require_in_each_file(table, option, known)
    as_text = {name.lower() for name in _compared(tree, with_text=True)}
    compared = {name.lower() for name in _compared(tree, with_text=False)}
    figures = {
        name: kind
        for name in known
        if name.lower() not in as_text and (kind := table.numbers(name).sql_type)
    }
    needed = {name for name in figures if name.lower() in compared}
    fault = ""
    for chosen in _choices(list(figures), needed, numbers=numbers):
        kinds = {name: figures[name] for name in chosen}
        sql = _as_numbers(db, tree, kinds, numbers=numbers) if kinds else given
        try:
            _ = table.relation.project(f"{LINE}, ({sql}\n) AS mapped").limit(0).fetchall()
            return Expression(option, given, f"({sql}\n)", tuple(known))
        except duckdb.Error as error:
            fault = first_line(error)
    unknown = [name for name in named if name.lower() not in columns]
    raise _misfit(table, option, fault, unknown, known)


def sql_type(arrow_type: pa.DataType) -> str:
    """Return the SQL type of a column of ours."""
    if pa.types.is_timestamp(arrow_type):
        return "TIMESTAMPTZ"
    return "VARCHAR[]" if pa.types.is_list(arrow_type) else _SQL_TYPES[str(arrow_type)]


def first_line(error: duckdb.Error) -> str:
    """Return the first sentence of what DuckDB says, without its kind and its query."""
    line = str(error).split("\n", 1)[0]
    line = line.partition("Error: ")[2] or line
    return line.partition(". You might need")[0].strip()


def _parse(db: duckdb.DuckDBPyConnection, option: str, given: str) -> dict[str, Any]:
    """Return the syntax tree of one expression."""
    answer = db.execute("SELECT json_serialize_sql($sql)", {"sql": f"SELECT {given}\n"})
    tree: dict[str, Any] = json.loads(answer.fetchall()[0][0])
    if tree.get("error"):
        raise InputError(f"{option}: {tree['error_message']}: {given}")
    node = tree["statements"][0]["node"]
    plain = len(tree["statements"]) == 1 and len(node.get("select_list", ())) == 1
    if not plain or node["from_table"]["type"] != "EMPTY":
        raise InputError(f"{option}: expected one SQL expression over the CSV's columns: {given}")
    return tree


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    if isinstance(tree, dict | list):
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from _nodes(child)


def _columns(tree: object) -> Iterator[str]:
    """Yield the columns that a tree names."""
    for node in _nodes(tree):
        if node.get("class") == "COLUMN_REF":
            yield str(node["column_names"][-1])


def _compared(tree: object, *, with_text: bool) -> Iterator[str]:
    """Yield the columns that are compared with a text in quotes, or by order among themselves.

    The first must stay text; the second are better numbers, as text has `10` before `9`.
    """
    for node in _nodes(tree):
        if node.get("class") not in ("COMPARISON", "BETWEEN") and node.get("type") not in _IN:
            continue
        sides = [node.get(side) for side in ("left", "right", "input", "lower", "upper")]
        present = [side for side in [*sides, *node.get("children", [])] if isinstance(side, dict)]
        columns = [side for side in present if side["class"] == "COLUMN_REF"]
        text = any(side.get("literal", {}).get("kind") == "STRING" for side in present)
        if text if with_text else len(columns) == len(present):
            yield from _columns(columns)


def _choices(
    figures: Sequence[str], needed: set[str], *, numbers: bool
) -> Iterator[tuple[str, ...]]:
    """Yield which columns to take as numbers: as few as fit, or with `numbers` as many."""
    sizes = list(range(len(figures) + 1)) if len(figures) <= _MAX_TRIED else [0, len(figures)]
    for size in reversed(sizes) if numbers else sizes:
        for chosen in combinations(figures, size):
            if needed <= set(chosen):
                yield chosen


def _as_numbers(
    db: duckdb.DuckDBPyConnection, tree: dict[str, Any], kinds: Mapping[str, str], *, numbers: bool
) -> str:
    """Return the expression of a tree with some of its columns cast to numbers.

    Unless `numbers` are wanted, a column that is itself the result (`CASE WHEN id > 0 THEN id END`)
    stays text.
    """
    tree = deepcopy(tree)
    casts = {
        name.lower(): _parse(db, "", f"TRY_CAST({quoted(name)} AS {kind})")["statements"][0][
            "node"
        ]["select_list"][0]
        for name, kind in kinds.items()
    }

    def cast(part: Any, result: bool) -> Any:
        if isinstance(part, list):
            return [cast(child, result) for child in part]
        if not isinstance(part, dict):
            return part
        if part.get("class") == "COLUMN_REF":
            name = str(part["column_names"][-1]).lower()
            return part if result else casts.get(name, part)
        passed = _PASSED_ON.get(str(part.get("type")), ())
        return {key: cast(child, result and key in passed) for key, child in part.items()}

    answer = tree["statements"][0]["node"]["select_list"]
    answer[:] = cast(answer, not numbers)
    text = db.execute("SELECT json_deserialize_sql($tree)", {"tree": json.dumps(tree)})
    return str(text.fetchall()[0][0]).removeprefix("SELECT ")


def _require_in_each_file(table: Table, option: str, columns: Sequence[str]) -> None:
    for path, names in table.files.items():
        has = {name.lower() for name in names}
        if missing := [name for name in columns if name.lower() not in has]:
            raise _missing(option, missing[0], str(path), names)


def _misfit(
    table: Table, option: str, fault: str, unknown: Sequence[str], known: Sequence[str]
) -> InputError:
    """Return the error for an expression that fits in no way."""
    if unknown and "not found" in fault:
        path, names = next(iter(table.files.items()))
        return _missing(option, unknown[0], str(path), names)
    others = [(name, other) for name in known if (other := table.numbers(name).other)]
    text = "; ".join(f"{name} is text ({other})" for name, other in others)
    hint = ". TRY_CAST(column AS DOUBLE) makes what is no number null" if text else ""
    return InputError(f"{option}: {fault}{': ' if text else ''}{text}{hint}")


def _missing(option: str, column: str, path: str, names: Sequence[str]) -> InputError:
    return InputError(
        f"{option}: {path} has no column {column}; its first line has: {', '.join(names)}. If that "
        "is a row and the file has no header, name its columns: --names NAME,NAME,..."
    )
