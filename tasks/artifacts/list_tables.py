"""Lists as Arrow columns."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.artifacts.records import LIST_SCHEMA
from tasks.io.parquet import row_groups

#: The strings of lists, of which there are few distinct ones.
_REPETITIVE = [f"{name}.list.element" for name in ("item_ids", "codes", "because")]


Positions = npt.NDArray[np.integer]


def read_lists(
    path: Path, columns: list[str] | None = None
) -> Generator[pa.RecordBatch, None, None]:
    """Yield a file's lists, a row group at a time, their strings dictionary-encoded."""
    return row_groups(path, columns, _REPETITIVE)


def named(strings: pa.Array, positions: Positions) -> pa.DictionaryArray:
    """Return the strings at `positions`, dictionary-encoded."""
    coded = pa.array(positions).dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices, strings.take(coded.dictionary))


def list_batch(
    keys: pa.Array,
    lengths: npt.NDArray[np.int64],
    item_ids: pa.Array,
    scores: npt.NDArray[np.float64],
    codes: pa.Array,
    because: pa.Array,
) -> pa.RecordBatch:
    """Put flat columns together as rows of `LIST_SCHEMA`; keys without items are left out.

    `lengths` gives the items a key; the other arrays hold sum(lengths) values, strings as they are
    or as dictionaries.
    """
    filled = lengths > 0
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths[filled]))).astype(np.int32))
    columns = [item_ids, pa.array(scores), codes, because]
    return pa.record_batch(
        [keys.cast(pa.string()).filter(pa.array(filled))]
        + [pa.ListArray.from_arrays(offsets, column) for column in columns],
        names=LIST_SCHEMA.names,
    )
