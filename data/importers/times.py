"""Times of a CSV: ISO 8601 or a declared unit, and what to write where they are neither."""

import re
from collections.abc import Sequence

import duckdb

from data.importers.csv_columns import Expression
from data.importers.csv_table import Table, quoted
from data.rows import Place, shown
from data.schema import InputError

#: A date, or a date and a time to the minute or finer, in UTC where no offset is named.
_ISO = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z| ?UTC| ?GMT|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?"
)
#: Years outside are no times of events: infinity, BC, milliseconds as seconds, 9999-12-31 for none.
_PLAUSIBLE = "BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9998-12-31 00:00:00+00'"
_DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%Y", "%d.%m.%y", "%m-%d-%Y"),
    *("%d-%m-%Y", "%Y/%m/%d", "%Y-%m-%d", "%Y.%m.%d", "%Y%m%d", "%d %b %Y", "%d-%b-%Y"),
    *("%b %d, %Y", "%d/%b/%Y"),
)
_CLOCKS = (
    *("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S"),
    *("%H%M%S", "T%H%M%SZ", ":%H:%M:%S %z", " %H:%M:%S %z"),
)
#: Upper bound of Unix times since 1973 in each unit, its function and name.
_UNITS = (
    (1e11, "to_timestamp", "seconds"),
    (1e14, "epoch_ms", "milliseconds"),
    (1e17, "make_timestamp", "microseconds"),
    (1e20, "make_timestamp_ns", "nanoseconds"),
)


def instant(table: Table, expression: Expression, kind: str) -> str:
    """Return SQL for the time that an expression of an SQL type is; null where it is none.

    `InputError` for a number, whose unit must be declared.
    """
    if kind == "VARCHAR":
        text = _without_space_before_offset(expression.sql)
        return f"CASE WHEN {is_iso(expression.sql)} THEN TRY_CAST({text} AS TIMESTAMPTZ) END"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return f"CAST({expression.sql} AS TIMESTAMPTZ)"
    advice = advise(table, expression) or (
        "declare its unit: to_timestamp(...) for Unix seconds, epoch_ms(...) for milliseconds"
    )
    raise InputError(f"{expression.option}: {expression.given} is no time but {kind}: {advice}")


def is_iso(text: str) -> str:
    """Return SQL for whether a text has the form of a time in ISO 8601."""
    return f"regexp_full_match({_without_space_before_offset(text)}, '{_ISO}')"


def _without_space_before_offset(text: str) -> str:
    return f"regexp_replace(trim({text}), ' ([+-])', '\\1')"


def require_plausible(
    table: Table, expression: Expression, found: tuple[int, Place] | None
) -> None:
    """Raise `InputError` for times outside the years 1 to 9998, of which `found` is the first."""
    if found is None:
        return
    count, place = found
    advice = advise(table, expression)
    if not advice:
        advice = _leave_out(table, expression)
    year = re.match(r"-?[0-9]+", place.value or "")
    lies = f"lies in the year {year[0]}" if year else "lies in no year"
    raise InputError(
        f"{expression.option}: {place.file} line {place.line}: {shown(place.value)} {lies}, and "
        f"{count:,} of {len(table.relation):,} rows outside the years 1 to 9998: {advice}"
    )


def _leave_out(table: Table, expression: Expression) -> str:
    """Return how to import without implausible times: their rows, or for items the times alone."""
    kind = str(table.relation.project(expression.sql).types[0])
    given = expression.given
    sound = f"year({given if kind != 'VARCHAR' else f'TRY_CAST({given} AS DATE)'}) < 9999"
    option, _, name = expression.option.partition(" ")
    if option == "--event":
        return f'to leave such rows out: --where "{sound}"'
    return f'to make such times null: {option} "{name}=CASE WHEN {sound} THEN {given} END"'


def implausible(column: str) -> str:
    """Return SQL for whether a time is infinite or outside the years 1 to 9998."""
    return f"{column} IS NOT NULL AND NOT ({column} {_PLAUSIBLE})"


def advise(table: Table, expression: Expression) -> str:
    """Return the likely form of a time's columns and the expression for it, or nothing."""
    option, _, name = expression.option.partition(" ")
    for column in expression.columns:
        if table.numbers(column).sql_type:
            if found := _unit(table, column):
                looks, function = found
                return f'{column} looks like {looks}: {option} "{name}={function}"'
        elif formats := fitting_formats(table.relation, column):
            ways = " or ".join(f"{option} \"{name}=strptime({column}, '{f}')\"" for f in formats)
            return f"all of {column} fit {' and '.join(formats)}: {ways}"
    return ""


def fitting_formats(relation: duckdb.DuckDBPyRelation, column: str) -> list[str]:
    """Return the formats that every value of a text column fits, in years 1970 to 2099."""
    return list(format_shares(relation, column))


def format_shares(
    relation: duckdb.DuckDBPyRelation, column: str, at_least: float = 1.0
) -> dict[str, float]:
    """Return the formats that a share of a text column's values fits, in years 1970 to 2099."""
    formats = [date + clock for date in _DATES for clock in _CLOCKS]
    text = f"trim({quoted(column)})"
    shares = [
        f"avg(CASE WHEN year(try_strptime({text}, '{f}')) BETWEEN 1970 AND 2099 THEN 1.0 "
        "ELSE 0.0 END)"
        for f in formats
    ]
    known = relation.filter(f"{quoted(column)} IS NOT NULL")
    first = known.limit(1_000).aggregate(", ".join(shares)).fetchall()[0]
    likely = [n for n, share in enumerate(first) if share and share >= at_least]
    if not likely:
        return {}
    whole = known.aggregate(", ".join(shares[n] for n in likely)).fetchall()[0]
    fit = zip(likely, whole, strict=True)
    return {formats[n]: share for n, share in fit if share >= at_least}


def _unit(table: Table, column: str) -> tuple[str, str] | None:
    """Return the likely unit of a column's numbers as times, and the SQL that reads them."""
    text = quoted(column)
    if formats := [f for f in fitting_formats(table.relation, column) if f.startswith("%Y%m%d")]:
        return f"dates ({formats[0]})", f"strptime({column}, '{formats[0]}')"
    median = f"median(abs(TRY_CAST({text} AS DOUBLE)))"
    size = table.relation.aggregate(median).fetchall()[0][0]
    units: Sequence[tuple[str, str]] = [
        (unit, f"{function}({column})") for below, function, unit in _UNITS if size < below
    ]
    return units[0] if size and units and size > 1e8 else None
