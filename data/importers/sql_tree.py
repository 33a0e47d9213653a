"""Columns in the syntax trees of SQL expressions, as DuckDB's parser gives them."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import duckdb

from data.importers.csv_table import quoted
from data.schema import InputError

_IN = ("COMPARE_IN", "COMPARE_NOT_IN")
#: Kind of node -> its children that are its own result.
_PASSED_ON = {
    "CASE_EXPR": ("case_checks", "then_expr", "else_expr"),
    "OPERATOR_COALESCE": ("children",),
}


def parse(db: duckdb.DuckDBPyConnection, option: str, given: str) -> dict[str, Any]:
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


def columns_of(tree: object) -> Iterator[str]:
    """Yield the columns that a tree names."""
    for node in _nodes(tree):
        if node.get("class") == "COLUMN_REF":
            yield str(node["column_names"][-1])


def compared(tree: object, *, with_text: bool) -> Iterator[str]:
    """Yield the columns that are compared with a text in quotes, or by order among themselves.

    The first must stay text; the second are better numbers, as text has `10` before `9`.
    """
    for node in _nodes(tree):
        if node.get("class") not in ("COMPARISON", "BETWEEN") and node.get("type") not in _IN:
            continue
        sides = [node.get(side) for side in ("left", "right", "input", "lower", "upper")]
        present = [side for side in [*sides, *node.get("children", [])] if isinstance(side, dict)]
        named = [side for side in present if side["class"] == "COLUMN_REF"]
        text = any(side.get("literal", {}).get("kind") == "STRING" for side in present)
        by_order = any(word in node["type"] for word in ("LESS", "GREATER", "BETWEEN"))
        if text if with_text else by_order and len(named) == len(present):
            yield from columns_of(named)


def as_numbers(
    db: duckdb.DuckDBPyConnection, tree: dict[str, Any], kinds: Mapping[str, str], *, numbers: bool
) -> str:
    """Return the expression of a tree with some of its columns cast to numbers.

    Unless `numbers` are wanted, a column that is itself the result (`CASE WHEN id > 0 THEN id END`)
    stays text.
    """
    tree = deepcopy(tree)
    casts = {
        name.lower(): parse(db, "", f"TRY_CAST({quoted(name)} AS {kind})")["statements"][0]["node"][
            "select_list"
        ][0]
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
