"""Column types of Parquet files: those that fit a kind of column, remedies for the others.

Ids are text: an integer, a UUID or a DECIMAL(n, 0) has one text each; a float has several
(7 and 7.0), and bytes are text in an unknown encoding.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.types as pt

Kind = Literal["text", "time", "number", "flag", "texts"]

#: The widest decimal that DuckDB holds without loss.
_MAX_DIGITS = 38


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type is text."""
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_whole(kind: pa.DataType) -> bool:
    """Tell whether a type holds whole numbers, each with one text."""
    if pt.is_decimal(kind):
        return bool(kind.scale == 0 and kind.precision <= _MAX_DIGITS)
    return bool(pt.is_integer(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pt.is_list(kind) or pt.is_large_list(kind) or pt.is_list_view(kind))


ACCEPTS: Mapping[Kind, tuple[str, Callable[[pa.DataType], bool]]] = {
    "text": (
        "text or integer",
        lambda t: is_text(t) or _is_whole(t) or isinstance(t, pa.UuidType),
    ),
    "time": (
        "a timestamp (or ISO 8601 text)",
        lambda t: pt.is_timestamp(t) or pt.is_date(t) or is_text(t),
    ),
    "number": (
        "a number",
        lambda t: pt.is_integer(t) or pt.is_floating(t) or pt.is_decimal(t),
    ),
    "flag": ("true or false", pt.is_boolean),
    "texts": (
        "a list of text",
        lambda t: _is_list(t) and (is_text(t.value_type) or pt.is_null(t.value_type)),
    ),
}


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return a type without its dictionary."""
    return kind.value_type if pt.is_dictionary(kind) else kind


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind))


#: kind, test of the type, condition, SQL that mends the column; the first that fits counts.
_REMEDIES: tuple[tuple[Kind, Callable[[pa.DataType], bool], str, str], ...] = (
    ("text", _is_bytes, "where the bytes are UTF-8 text", "decode({0})"),
    (
        "text",
        pt.is_floating,
        "where all are whole numbers (pandas makes them floats where one is missing)",
        "CAST({0} AS BIGINT)",
    ),
    ("text", lambda t: isinstance(t, pa.JsonType), "where it is one word", "{0} ->> '$'"),
    ("text", pt.is_nested, "where all of it is the id", "CAST({0} AS VARCHAR)"),
    ("time", pt.is_integer, "where it counts seconds", "to_timestamp({0})"),
    ("time", pt.is_floating, "where it counts seconds", "to_timestamp({0})"),
    ("time", pt.is_decimal, "where it counts seconds", "to_timestamp({0})"),
    ("texts", is_text, "where commas part it", "string_split({0}, ',')"),
    ("texts", lambda _: True, "", "CAST({0} AS VARCHAR[])"),
    ("text", lambda _: True, "", "CAST({0} AS VARCHAR)"),
    ("time", lambda _: True, "", "CAST({0} AS TIMESTAMP)"),
    ("number", lambda _: True, "", "CAST({0} AS DOUBLE)"),
    ("flag", lambda _: True, "", "CAST({0} AS BOOLEAN)"),
)


def remedy(kind: Kind, found: pa.DataType, column: str) -> str:
    """Return the advice for a column of a type that does not fit its kind."""
    plain = plain_type(found)
    when, sql = next((w, s) for k, fits, w, s in _REMEDIES if k == kind and fits(plain))
    name = '"' + column.replace('"', '""') + '"'
    return (
        f"Write it anew{', ' * bool(when)}{when}; in DuckDB: COPY (SELECT * REPLACE "  # noqa: S608
        f"({sql.format(name)} AS {name}) FROM 'old.parquet') TO 'new.parquet'"
    )
