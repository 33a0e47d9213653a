"""Compiled writers of JSON: ranked lists as `RankedList.to_json` writes them, columns of values."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.io.byte_strings import Bytes, Offsets
from tasks.io.jit import Positions, compiled
from tasks.publish._jit.bytes import (
    byte_at,
    inlined,
    literal,
    put,
    put_byte,
    put_literal,
    put_number,
    put_roomy,
)
from tasks.publish._jit.score_text import WIDTH

#: Bytes that a list and an item of it need beside the texts, at most.
LIST_ROOM, ITEM_ROOM = 64, 32
_ITEMS, _SCORES = literal(b'{"items":['), literal(b'],"scores":[')
_REASONS, _WHY = literal(b'],"reasons":['), literal(b'],"why":[')
_END = literal(b"]}")
_COMMA, _OPEN, _CLOSE, _QUOTE = b',[]"'


class Column(NamedTuple):
    """A column of JSON strings, dictionary-encoded.

    Place i holds the string from `offsets[positions[i]]` to `offsets[positions[i] + 1]` of `text`,
    escaped as in JSON, without its quotes.
    """

    positions: Positions
    offsets: Offsets
    text: Bytes


class Scores(NamedTuple):
    """Scores as text: `WIDTH` bytes each, of which `lengths` count."""

    text: Bytes
    lengths: npt.NDArray[np.int64]


@compiled
def total(positions: Positions, lengths: Offsets) -> int:
    """Return the bytes of the texts at `positions`, each as often as it stands there."""
    n_bytes = 0
    for position in positions:  # none counts from the end, and an unsigned one need not be asked
        n_bytes += lengths[np.uint32(position)]
    return n_bytes


@compiled
def write_lists(
    rows: Positions,
    item_ids: Column,
    scores: Scores,
    reason_codes: Column,
    reason_items: Column,
    out: Bytes,
    ends: Offsets,
) -> None:
    """Write row r's list, of places `rows[r]` to `rows[r + 1]`; it ends at `ends[r + 1]`.

    No code and no reason's item stands twice among its strings. Behind all strings, and in `out`
    behind the last list, are `SLACK` bytes more (`put_roomy`).
    """
    items, item_at, item_text = item_ids
    codes, code_at, code_text = reason_codes
    because, because_at, because_text = reason_items
    n_because = len(because_at) - 1
    # A reason's position in its own list, and the row for which that was found.
    known_at = np.full((len(code_at) - 1) * n_because, -1, np.int64)
    known_as = np.empty(len(known_at), np.int64)
    at = ends[0]
    for r in range(len(rows) - 1):
        first, stop = rows[r], rows[r + 1]
        at = put_literal(out, at, _ITEMS)
        for i in range(first, stop):
            if i > first:
                at = put_byte(out, at, _COMMA)
            at = _put_quoted(out, at, item_text, item_at[items[i]], item_at[items[i] + 1])
        at = put_literal(out, at, _SCORES)
        for i in range(first, stop):
            if i > first:
                at = put_byte(out, at, _COMMA)
            at = put_roomy(out, at, scores.text, i * WIDTH, i * WIDTH + scores.lengths[i])
        at = put_literal(out, at, _REASONS)
        n = 0
        for i in range(first, stop):
            reason = codes[i] * n_because + because[i]
            if known_at[reason] == r:
                continue
            known_at[reason], known_as[reason] = r, n
            if n > 0:
                at = put_byte(out, at, _COMMA)
            n += 1
            at = put_byte(out, at, _OPEN)
            at = _put_quoted(out, at, code_text, code_at[codes[i]], code_at[codes[i] + 1])
            start, end = because_at[because[i]], because_at[because[i] + 1]
            if end > start:
                at = _put_quoted(out, put_byte(out, at, _COMMA), because_text, start, end)
            at = put_byte(out, at, _CLOSE)
        at = put_literal(out, at, _WHY)
        for i in range(first, stop):
            if i > first:
                at = put_byte(out, at, _COMMA)
            at = put_number(out, at, known_as[codes[i] * n_because + because[i]])
        at = put_literal(out, at, _END)
        ends[r + 1] = at


@inlined
def _put_quoted(out: Bytes, at: int, data: Bytes, start: int, stop: int) -> int:
    return put_byte(out, put_roomy(out, put_byte(out, at, _QUOTE), data, start, stop), _QUOTE)


@compiled
def split(text: Bytes, out: Bytes, ends: Offsets) -> None:
    """Copy all but the commas to `out`; what stood before the nth ends at `ends[n]`, from 1 on."""
    n = size = 0
    for at in range(len(text)):
        byte = byte_at(text, at)
        if byte == _COMMA:
            n += 1
            ends[n] = size
        else:
            size = put_byte(out, size, byte)
    ends[n + 1] = size


@compiled
def write_string_lists(
    lists: Offsets, text_at: Offsets, text: Bytes, out: Bytes, ends: Offsets
) -> None:
    """Write list i, of the texts from `lists[i]` to `lists[i + 1]`, which need no escape."""
    size = 0
    for i in range(len(lists) - 1):
        size = put_byte(out, size, _OPEN)
        for at in range(lists[i], lists[i + 1]):
            if at > lists[i]:
                size = put_byte(out, size, _COMMA)
            size = put_byte(out, size, _QUOTE)
            size = put(out, size, text, text_at[at], text_at[at + 1])
            size = put_byte(out, size, _QUOTE)
        size = put_byte(out, size, _CLOSE)
        ends[i + 1] = size
