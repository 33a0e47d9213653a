"""Values read from Redis as rows of `LIST_SCHEMA` again."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from nightshelf.contract.values import RankedList
from tasks.artifacts.records import CODED_LISTS, LIST_SCHEMA
from tasks.io.byte_strings import Bytes, Offsets, Texts
from tasks.publish._jit.json_parser import most_texts, parse_lists


def decode_lists(ids: Sequence[str], values: Sequence[bytes]) -> pa.RecordBatch:
    """Turn values of one family back into rows of `LIST_SCHEMA`, under their ids: the definition.

    Raises `nightshelf.CorruptValue` where a value is no list.
    """
    rows = []
    for raw, value in zip(ids, values, strict=True):
        ranked = RankedList.from_json(value)
        reasons = [(*reason, "", "")[:2] for reason in ranked.reasons]  # many need nothing
        codes, because = ([reason[at] for reason in reasons] for at in (0, 1))
        columns = (raw, ranked.items, ranked.scores, codes, because)
        rows.append(dict(zip(LIST_SCHEMA.names, columns, strict=True)))
    return pa.RecordBatch.from_pylist(rows, LIST_SCHEMA)


def decode_bulk(ids: pa.Array, values: Texts) -> pa.RecordBatch:
    """Do as `decode_lists` does, compiled wherever the values are as `RankedList` writes them.

    Texts come as positions among the distinct ones (`CODED_LISTS`).
    """
    parsed = _parsed(ids, values)
    return parsed or decode_lists(ids.to_pylist(), list(values)).cast(CODED_LISTS)


def _parsed(ids: pa.Array, values: Texts) -> pa.RecordBatch | None:
    most = most_texts(values.data[values.offsets[0] : values.offsets[-1]])
    rows, scores, why = (
        np.empty(len(values) + 1, np.int64),
        np.empty(most),
        np.empty(most, np.int64),
    )
    items, codes, because = (
        (np.empty(values.n_bytes, np.uint8), np.empty(most + 1, np.int64)) for _ in range(3)
    )
    found = parse_lists(values.offsets, values.data, rows, *items, scores, why, *codes, *because)
    if found < 0:
        return None
    try:
        shown = _distinct(*items, rows[-1])
        reasons = [_distinct(*text, found) for text in (codes, because)]
    except pa.ArrowInvalid:  # bytes that are no UTF-8
        return None
    flat = [shown, pa.array(scores[: rows[-1]])]
    for reason in reasons:
        at = reason.indices.take(pa.array(why[: rows[-1]]))
        flat.append(pa.DictionaryArray.from_arrays(at, reason.dictionary))
    places = pa.array(rows.astype(np.int32))
    lists = [pa.ListArray.from_arrays(places, column) for column in flat]
    return pa.RecordBatch.from_arrays([ids.cast(pa.string()), *lists], schema=CODED_LISTS)


def _distinct(data: Bytes, ends: Offsets, n: int) -> pa.DictionaryArray:
    coded = Texts(ends[: n + 1], data[: ends[n]]).to_arrow().dictionary_encode()
    coded.dictionary.validate(full=True)
    return coded
