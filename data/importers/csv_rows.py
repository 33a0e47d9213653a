"""Rows of a table mapped to columns of ours: kept, or refused with a reason and a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from data.importers.csv_columns import Expression, first_line, fit, sql_type
from data.importers.csv_table import FILE, LINE, Table, first_of
from data.importers.times import advise, implausible, instant, require_plausible
from data.rows import Place
from data.schema import InputError

#: Text columns in which blank and null words are null.
_IDS = ("user_id", "item_id", "event_type", "event_id", "session_id")


@dataclass(frozen=True)
class Mapped:
    """A DuckDB table `name` of mapped rows: `x` as a column of ours, `x__raw` as text."""

    db: duckdb.DuckDBPyConnection
    name: str
    source: Table
    expressions: Mapping[str, Expression]
    schema: pa.Schema

    @property
    def relation(self) -> duckdb.DuckDBPyRelation:
        """The rows."""
        return self.db.table(self.name)

    def first(self, condition: str, value: str) -> tuple[int, Place] | None:
        """Count the rows that meet a condition; return the first with a value, None for none."""
        return first_of(self.relation, list(self.source.files), condition, value)


def map_rows(
    db: duckdb.DuckDBPyConnection,
    name: str,
    source: Table,
    option: str,
    given: Mapping[str, str],
    schema: pa.Schema,
) -> Mapped:
    """Make a table of the columns that expressions give, types as in `schema`.

    `InputError` for an expression that does not fit, that fails on a row, or whose times lie
    outside the years 1 to 9998.
    """
    if unknown := [column for column in given if column not in schema.names]:
        raise InputError(
            f"--{option} {unknown[0]}: no such column; ours: {', '.join(schema.names)}"
        )
    fitted = {
        column: fit(
            *(db, source, f"--{option} {column}", sql),
            numbers=pa.types.is_floating(schema.field(column).type),
        )
        for column, sql in given.items()
    }
    parts = [f"{FILE}, {LINE}"]
    for column, expression in fitted.items():
        typed = _typed(source, column, expression, sql_type(schema.field(column).type))
        parts.append(f"{typed} AS {column}, CAST({expression.sql} AS VARCHAR) AS {column}__raw")
    try:
        source.relation.project(", ".join(parts)).to_table(name)
    except duckdb.Error as error:
        raise _failing(source, fitted, error) from error
    mapped = Mapped(db, name, source, fitted, schema)
    for column in _times(mapped):
        found = mapped.first(implausible(column), f"{column}__raw")
        require_plausible(source, fitted[column], found)
    return mapped


def refuse_rows(mapped: Mapped, needed: Sequence[str]) -> None:
    """Delete rows without a needed value, of the future or before 1970, and count them."""
    now = datetime.now(UTC).isoformat()
    reasons: list[tuple[str, str, str]] = []
    for column in needed:
        null, raw = f"{column} IS NULL", f"{column}__raw"
        reasons.append((f"no {column}", f"{null} AND coalesce(trim({raw}), '') = ''", column))
        if column in _times(mapped):
            reasons.append((f"{column} is no ISO 8601 time", null, column))
            future = f"{column} > TIMESTAMPTZ '{now}'"
            reasons.append((f"{column} in the future", future, column))
            early = f"{column} < TIMESTAMPTZ '1970-01-01 00:00:00+00'"
            reasons.append((f"{column} before 1970", early, column))
        else:
            reasons.append((f"{column} is a null word", null, column))
    for reason, condition, column in reasons:
        if found := mapped.first(condition, f"{column}__raw"):
            mapped.source.count.refuse(reason, *found)
            mapped.db.execute(f"DELETE FROM {mapped.name} WHERE {condition}")  # noqa: S608


def lost_values(mapped: Mapped, needed: Sequence[str]) -> list[str]:
    """Return a warning for each optional column with values that became null."""
    lost = []
    for column, expression in mapped.expressions.items():
        condition = f"{column} IS NULL AND trim({column}__raw) <> ''"
        if column not in needed and (found := mapped.first(condition, f"{column}__raw")):
            count, place = found
            lost.append(
                f"{expression.option}: {count:,} values are none of ours, now null ({place})"
            )
    return lost


def require_rows(mapped: Mapped) -> None:
    """Raise `InputError` with the account if every row was refused."""
    if len(mapped.relation):
        return
    account = "; ".join(line.strip() for line in mapped.source.count.lines())
    time = mapped.expressions.get("ts")
    advice = advise(mapped.source, time) if time and "ISO 8601" in account else ""
    raise InputError(f"no row is left: {account}{'. ' if advice else ''}{advice}")


def _times(mapped: Mapped) -> list[str]:
    fields = (mapped.schema.field(column) for column in mapped.expressions)
    return [field.name for field in fields if pa.types.is_timestamp(field.type)]


def _typed(source: Table, column: str, expression: Expression, kind: str) -> str:
    """Return SQL for an expression's value as a column of ours."""
    if kind == "TIMESTAMPTZ":
        found = source.relation.project(expression.sql).types[0]
        return instant(source, expression, str(found))
    if column in _IDS:
        return source.without_null_words(f"CAST({expression.sql} AS VARCHAR)")
    if kind == "DOUBLE":
        number = f"TRY_CAST({expression.sql} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    return f"TRY_CAST({expression.sql} AS {kind})"


def _failing(
    source: Table, expressions: Mapping[str, Expression], error: duckdb.Error
) -> InputError:
    """Return the error of the first expression that fails on some row."""
    for column, expression in expressions.items():
        try:
            source.relation.project(f"{expression.sql} AS mapped").aggregate(
                "max(mapped)"
            ).fetchall()
        except duckdb.Error as found:
            advice = advise(source, expression) if column in ("ts", "arrived_at") else ""
            advice = advice or "TRY_CAST, try_strptime and TRY(...) make such values null"
            return InputError(f"{expression.option}: {first_line(found)}: {advice}")
    return InputError(first_line(error))
