"""Times in a log, as SQL: ISO 8601 text or a typed time, in years 1 to 9999, as UTC microseconds.

DuckDB's cast accepts more than ISO 8601 ('epoch', 'infinity', BC, 2024/1/5), and abbreviations of
zones in one of their meanings: BST as Bangladesh's. Here all that is not ISO 8601 is null.
"""

from typing import Literal

#: Forms of a time column. `milliseconds` are integers: DuckDB converts them to microseconds as it
#: reads, and fails for a whole file on overflow.
TimeForm = Literal["text", "timestamp", "timestamp_ns", "date", "milliseconds"]

#: The microseconds from 1970 of the first and the last instant of years 1 to 9999.
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999

_DAY = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?|24:00(?::00(?:[.,]0+)?)?)"
_OFFSET = r"(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?"
_ISO_8601 = rf"{_DAY}(?:[T ]{_CLOCK}{_OFFSET})?"

_MICROSECONDS: dict[TimeForm, str] = {
    "text": f"CASE WHEN regexp_full_match(trim(@), '{_ISO_8601}') "
    "THEN epoch_us(TRY_CAST(replace(trim(@), ',', '.') AS TIMESTAMPTZ)) END",
    "timestamp": "epoch_us(@)",
    # The minimum is NumPy's not-a-time.
    "timestamp_ns": "nullif(epoch_us(TRY_CAST(@ AS TIMESTAMPTZ)), -9223372036854776)",
    "date": "epoch_us(TRY_CAST(@ AS TIMESTAMP))",
    "milliseconds": f"CASE WHEN @ BETWEEN {FIRST_US // 1000} AND {LAST_US // 1000} "
    "THEN @ * 1000 END",
}

_AS_FOUND: dict[TimeForm, str] = {
    "text": "nullif(@, '')",
    "timestamp": "coalesce(epoch_us(@) || ' microseconds from 1970', 'infinite')",
    "timestamp_ns": "'infinite'",
    "date": "(@ - DATE '1970-01-01') || ' days from 1970'",
    "milliseconds": "@ || ' milliseconds from 1970'",
}


def microseconds_sql(column: str, form: TimeForm) -> str:
    """Return the SQL of a column's microseconds from 1970 in UTC, null where it has none."""
    return _filled(_MICROSECONDS[form], column)


def within_years_sql(microseconds: str) -> str:
    """Return the SQL of microseconds as TIMESTAMP, null outside years 1 to 9999."""
    sound = f"{microseconds} BETWEEN {FIRST_US} AND {LAST_US}"
    return f"CASE WHEN {sound} THEN make_timestamp({microseconds}) END"


def as_found_sql(column: str, form: TimeForm) -> str:
    """Return the SQL of a time column's value as text, for rows without a valid instant."""
    return f"CASE WHEN {column} IS NOT NULL THEN {_filled(_AS_FOUND[form], column)} END"


def _filled(sql: str, column: str) -> str:
    return column.join(sql.split("@"))
