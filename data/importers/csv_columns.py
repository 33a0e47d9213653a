"""SQL expressions over a table of text as columns of ours.

A column is text, as written: ``1.10`` and ``007`` are ids. Where an expression does not fit text
(arithmetic, a comparison with a number, ``to_timestamp(...)``), the columns that it takes as
numbers are numbers, if every value is one; where a number is wanted (`value`, `price`), they are
from the start.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import duckdb
import pyarrow as pa

from data.importers.csv_table import LINE, Table
from data.importers.sql_tree import as_numbers, columns_of, compared, parse
from data.schema import InputError

_SQL_TYPES = {"string": "VARCHAR", "double": "DOUBLE", "bool": "BOOLEAN"}
#: With more columns of numbers, only all as text and all as numbers are tried.
_MAX_TRIED = 8


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
    """Fit an expression to a table; `InputError` names the misfit and the file."""
    tree = parse(db, option, given)
    named = list(dict.fromkeys(columns_of(tree)))
    columns = table.columns
    known = list(dict.fromkeys(columns[n.lower()] for n in named if n.lower() in columns))
    _require_in_each_file(table, option, known)
    as_text = {name.lower() for name in compared(tree, with_text=True)}
    by_order = {name.lower() for name in compared(tree, with_text=False)}
    figures = {
        name: kind
        for name in known
        if name.lower() not in as_text and (kind := table.numbers(name).sql_type)
    }
    needed = {name for name in figures if name.lower() in by_order}
    fault = ""
    for chosen in _choices(list(figures), needed, numbers=numbers):
        kinds = {name: figures[name] for name in chosen}
        sql = as_numbers(db, tree, kinds, numbers=numbers) if kinds else given
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
    """Return the first sentence of DuckDB's message, without its kind and its query."""
    line = str(error).split("\n", 1)[0]
    line = line.partition("Error: ")[2] or line
    return line.partition(". You might need")[0].strip()


def _choices(
    figures: Sequence[str], needed: set[str], *, numbers: bool
) -> Iterator[tuple[str, ...]]:
    """Yield sets of columns to take as numbers: smallest first, with `numbers` largest first."""
    sizes = list(range(len(figures) + 1)) if len(figures) <= _MAX_TRIED else [0, len(figures)]
    for size in reversed(sizes) if numbers else sizes:
        for chosen in combinations(figures, size):
            if needed <= set(chosen):
                yield chosen


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
