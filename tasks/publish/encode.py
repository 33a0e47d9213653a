"""Lists and feature rows as JSON, a batch at a time; each byte as the definition writes it.

What repeats is written once: an item that stands in a thousand lists is quoted and escaped once a
batch. Whatever the compiled path does not know is left to the definition (`encode_list`).
"""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from nightshelf.contract.values import RankedList
from tasks.io.byte_strings import ByteStrings, byte_ranges
from tasks.publish._jit.bytes import SLACK
from tasks.publish._jit.json_writer import (
    ITEM_ROOM,
    LIST_ROOM,
    Column,
    Scores,
    split,
    total,
    write_lists,
    write_string_lists,
)
from tasks.publish._jit.score_text import score_texts

_ROW_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_COLUMN_OPTIONS = _ROW_OPTIONS | orjson.OPT_SERIALIZE_NUMPY
_ESCAPED = byte_ranges(bytes(range(0x20)) + b'"\\')


def encode_list(row: dict[str, Any]) -> bytes:
    """Encode one row of `LIST_SCHEMA` without its key: the definition."""
    return ranked_list(row).to_json()


def ranked_list(row: dict[str, Any]) -> RankedList:
    """Return one row of `LIST_SCHEMA` as the contract's list."""
    reasons = (
        (code, what) if what else (code,)
        for code, what in zip(row["codes"], row["because"], strict=True)
    )
    return RankedList(tuple(row["item_ids"]), tuple(row["scores"]), tuple(reasons))


def encode_row(row: dict[str, Any]) -> bytes:
    """Encode one feature row without its id: the definition; times are ISO 8601 in UTC."""
    return orjson.dumps(row, option=_ROW_OPTIONS)


def encode_lists(rows: pa.RecordBatch) -> ByteStrings:
    """Encode rows of `LIST_SCHEMA` without their keys, as `encode_list` does each.

    Raises `ValueError` for a score that is not finite.
    """
    columns = [rows.column(name) for name in ("item_ids", "scores", "codes", "because")]
    places = [column.offsets.to_numpy() for column in columns]
    flat = [column.values for column in columns]
    even = all(np.array_equal(place, places[0]) for place in places)
    if not even or any(column.null_count for column in columns + flat):
        return ByteStrings.of([encode_list(row) for row in rows.to_pylist()])
    (items, item), (codes, code), (because, cause) = (
        _distinct(flat[at].slice(places[0][0], places[0][-1] - places[0][0]), once=at > 0)
        for at in (0, 2, 3)
    )
    rows_at = places[0].astype(np.int64) - places[0][0]
    scores = flat[1].to_numpy()[places[0][0] : places[0][-1]]
    text, lengths = score_texts(scores)
    room = SLACK + LIST_ROOM * len(rows) + ITEM_ROOM * len(items) + int(lengths.sum())
    for positions, encoded in ((items, item), (codes, code), (because, cause)):
        room += total(positions, encoded.lengths)
    out, ends = np.empty(room, np.uint8), np.zeros(len(rows) + 1, np.int64)
    write_lists(
        rows_at,
        Column(items, item.offsets, item.data),
        Scores(text.ravel(), lengths),
        Column(codes, code.offsets, code.data),
        Column(because, cause.offsets, cause.data),
        out,
        ends,
    )
    return ByteStrings(ends, out)


def _distinct(strings: pa.Array, *, once: bool) -> tuple[npt.NDArray[np.int32], ByteStrings]:
    """Return positions among the distinct strings, and these as JSON without their quotes.

    A dictionary may hold a string twice, but where each must stand `once`.
    """
    if not pa.types.is_dictionary(strings.type) or (once and _repeats(strings.dictionary)):
        strings = strings.cast(pa.string()).dictionary_encode()
    positions = strings.indices.to_numpy().astype(np.int32, copy=False)
    return positions, _escaped(strings.dictionary).padded(SLACK)


def _repeats(strings: pa.Array) -> bool:
    return len(strings.unique()) < len(strings)


def _escaped(strings: pa.Array) -> ByteStrings:
    """Return strings as JSON without their quotes: as they are, unless one needs an escape."""
    encoded = ByteStrings.of(strings)
    if not encoded.contains_any(_ESCAPED):
        return encoded
    return ByteStrings.of(
        [json.dumps(s, ensure_ascii=False)[1:-1].encode() for s in strings.to_pylist()]
    )


def encode_rows(rows: pa.RecordBatch) -> ByteStrings:
    """Encode feature rows without their ids, as `encode_row` does each."""
    encoded = [_column(column) for column in rows.columns]
    if any(text is None for text in encoded) or not encoded:
        return ByteStrings.of([encode_row(row) for row in rows.to_pylist()])
    names = [orjson.dumps(name).decode() + ":" for name in rows.schema.names]
    between = ["{" + names[0], *("," + name for name in names[1:])]
    pieces = [piece for pair in zip(between, encoded, strict=True) for piece in pair]
    return ByteStrings.of(pc.binary_join_element_wise(*pieces, "}", "").cast(pa.large_binary()))


def _column(column: pa.Array) -> pa.Array | None:
    """Return a column's values as JSON; `None` where its type is one for the definition."""
    kind = column.type
    if pa.types.is_string(kind):
        text = _strings(column)
    elif pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        text = _string_lists(column)
    elif kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        text = _scalars(column.cast(pa.int64()).fill_null(0).to_numpy().view("datetime64[us]"))
    elif pa.types.is_floating(kind):
        text = _scalars(column.cast(pa.float64()).fill_null(0).to_numpy())
    elif pa.types.is_integer(kind):
        text = _scalars(column.fill_null(0).to_numpy())
    elif pa.types.is_boolean(kind):
        text = pc.if_else(column, "true", "false")
    else:
        return None
    return pc.if_else(column.is_valid(), text, "null")


def _strings(strings: pa.Array) -> pa.Array:
    """Return strings as JSON; in bulk, unless one of them needs an escape."""
    if not ByteStrings.of(strings.drop_null()).contains_any(_ESCAPED):
        return pc.binary_join_element_wise('"', strings, '"', "")
    found = strings.dictionary_encode()
    encoded = [json.dumps(text, ensure_ascii=False) for text in found.dictionary.to_pylist()]
    return pa.array(encoded, pa.string()).take(found.indices)


def _string_lists(column: pa.Array) -> pa.Array:
    """Write lists of strings; of a slice, no other rows' strings."""
    places = column.offsets.to_numpy().astype(np.int64)
    values, lists = column.values.slice(places[0], places[-1] - places[0]), places - places[0]
    if values.null_count == 0 and not (encoded := ByteStrings.of(values)).contains_any(_ESCAPED):
        out = np.empty(encoded.n_bytes + 3 * len(encoded) + 2 * len(lists), np.uint8)
        ends = np.zeros(len(lists), np.int64)
        write_string_lists(lists, encoded.offsets, encoded.data, out, ends)
        return ByteStrings(ends, out).to_arrow()
    quoted = _strings(values).fill_null("null")
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(lists, pa.int32()), quoted), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


def _scalars(values: npt.NDArray[Any]) -> pa.Array:
    """Write a whole column of numbers or times at once; none of them holds a comma."""
    text = orjson.dumps(np.ascontiguousarray(values), option=_COLUMN_OPTIONS)[1:-1]
    out, ends = np.empty(len(text), np.uint8), np.zeros(len(values) + 1, np.int64)
    if len(values):
        split(np.frombuffer(text, np.uint8), out, ends)
    return ByteStrings(ends, out).to_arrow()
