"""A CSV file as a DuckDB relation, and SQL expressions over it as columns of ours.

A CSV column is a number where every value of it is a plain number of at most 15 digits without a
leading zero, else text: ``007`` stays an id, and ``Quantity * UnitPrice`` needs no cast. It is a
BIGINT where all are whole (``17850.0``, as some tools write an integer, too), else a DOUBLE.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from data.parquet import InputError

_NUMBER = r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?"
_FRACTION = r"\.0*[1-9]"
_SQL_TYPES = {"string": "VARCHAR", "double": "DOUBLE", "bool": "BOOLEAN"}


@dataclass(frozen=True)
class Mapped:
    """Expressions over a CSV: `raw` as they came out, `typed` as the columns of ours."""

    option: str
    raw: duckdb.DuckDBPyRelation
    typed: duckdb.DuckDBPyRelation
    types: Mapping[str, str]


def read(
    db: duckdb.DuckDBPyConnection, table: str, paths: Sequence[Path]
) -> duckdb.DuckDBPyRelation:
    """Read CSV files as text into a table and return it with its numbers as numbers."""
    db.execute(
        f"CREATE TABLE {table} AS FROM read_csv($paths, header = true, all_varchar = true, "
        "quote = '\"', escape = '\"', union_by_name = true)",
        {"paths": [str(path) for path in paths]},
    )
    text = db.table(table)
    names = ['"' + name.replace('"', '""') + '"' for name in text.columns]
    looks = [f"bool_and(regexp_full_match({name}, '{_NUMBER}'))" for name in names]
    looks += [f"bool_or(regexp_matches({name}, '{_FRACTION}'))" for name in names]
    found = text.aggregate(", ".join(looks)).fetchall()[0]
    kinds = zip(names, found[: len(names)], found[len(names) :], strict=True)
    numbers = [
        f"CAST({name} AS {'DOUBLE' if fraction else 'BIGINT'}) AS {name}"
        for name, number, fraction in kinds
        if number
    ]
    return text.project(f"* REPLACE ({', '.join(numbers)})") if numbers else text


def map_columns(
    source: duckdb.DuckDBPyRelation,
    option: str,
    expressions: Mapping[str, str],
    schema: pa.Schema,
    needed: Sequence[str],
) -> Mapped:
    """Apply a map; `InputError` for a column that is missing, not ours, or does not bind."""
    if missing := [name for name in needed if name not in expressions]:
        raise InputError(f"--{option} {missing[0]}=... is needed: an expression over the CSV")
    if unknown := [name for name in expressions if name not in schema.names]:
        raise InputError(
            f"--{option} {unknown[0]}: no such column; ours: {', '.join(schema.names)}"
        )
    types = {name: _sql_type(schema.field(name).type) for name in expressions}
    for name, expression in expressions.items():
        bind(source, f"--{option}", name, f"TRY_CAST({expression} AS {types[name]})")
    raw = source.project(", ".join(f"({sql}) AS {name}" for name, sql in expressions.items()))
    typed = raw.project(", ".join(f"TRY_CAST({name} AS {types[name]}) AS {name}" for name in types))
    return Mapped(option, raw, typed, types)


def bind(source: duckdb.DuckDBPyRelation, option: str, name: str, expression: str) -> None:
    """Raise `InputError` where an expression does not fit the columns of the CSV."""
    try:
        _ = source.project(f"*, {expression} AS mapped").types
    except duckdb.Error as error:
        why = str(error).partition("\n\n")[0].replace("\n", " ")
        has = ", ".join(f"{c} ({t})" for c, t in zip(source.columns, source.types, strict=True))
        raise InputError(f"{option} {name}: {why}\nThe CSV has: {has}") from error


def unconverted(mapped: Mapped) -> dict[str, int]:
    """Count, for each column, the values that are lost because they do not convert."""
    lost = ", ".join(
        f"count_if({name} IS NOT NULL AND TRY_CAST({name} AS {sql_type}) IS NULL)"
        for name, sql_type in mapped.types.items()
    )
    counts = zip(mapped.types, mapped.raw.aggregate(lost).fetchall()[0], strict=True)
    return {
        f"  {mapped.option} {name} not converted, now null": count
        for name, count in counts
        if count
    }


def one_row_each(mapped: Mapped, key: str) -> duckdb.DuckDBPyRelation:
    """Return one row an id, each other column its most frequent value, the smallest of equals."""
    modes = [f"mode({name} ORDER BY {name}) AS {name}" for name in mapped.types if name != key]
    known = mapped.typed.filter(f"{key} IS NOT NULL")
    return known.aggregate(", ".join([key, *modes]))


def _sql_type(arrow_type: pa.DataType) -> str:
    if pa.types.is_timestamp(arrow_type):
        return "TIMESTAMPTZ"
    return "VARCHAR[]" if pa.types.is_list(arrow_type) else _SQL_TYPES[str(arrow_type)]
