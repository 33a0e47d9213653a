"""Lists as columns, and the catalogue that they are made of."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.parquet import row_groups
from tasks.records import LIST_SCHEMA

#: The texts of lists, of which there are few distinct ones.
_REPETITIVE = [f"{name}.list.element" for name in ("item_ids", "codes", "because")]

#: The category of an item that names none, and of one that the catalogue does not know.
UNKNOWN = "unknown"

Positions = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Catalogue:
    """What the walk needs to know of the items that it ranks, by position.

    `categories` are numbers from 0 to `n_categories` - 1.
    """

    ids: pa.StringArray
    categories: npt.NDArray[np.int32]
    category_names: list[str]
    available: npt.NDArray[np.bool_]

    @property
    def n_categories(self) -> int:
        """How many categories there are."""
        return len(self.category_names)

    @property
    def uncapped(self) -> int:
        """The number of the category `unknown`, which no rule caps; -1 where every item has one."""
        return self.category_names.index(UNKNOWN) if UNKNOWN in self.category_names else -1

    @cached_property
    def texts(self) -> pa.StringArray:
        """All that a list can name: the items, the categories, and last the empty text."""
        return pa.concat_arrays([self.ids, pa.array([*self.category_names, ""], pa.string())])


def load_catalogue(item_features: Path, ids: pa.StringArray | None = None) -> Catalogue:
    """Load category and availability of `ids`, in their order, or of the whole catalogue."""
    table = pq.read_table(item_features, columns=["item_id", "category", "available"])
    if ids is not None:
        table = table.take(pc.index_in(ids, table.column("item_id").combine_chunks()))
    category = table.column("category").combine_chunks().dictionary_encode()
    return Catalogue(
        ids=table.column("item_id").combine_chunks(),
        categories=category.indices.to_numpy().astype(np.int32),
        category_names=category.dictionary.to_pylist(),
        available=table.column("available").combine_chunks().to_numpy(zero_copy_only=False),
    )


def read_lists(
    path: Path, columns: list[str] | None = None
) -> Generator[pa.RecordBatch, None, None]:
    """Yield a file's lists, a row group at a time, their texts as positions among the distinct."""
    return row_groups(path, columns, _REPETITIVE)


def named(texts: pa.Array, positions: Positions) -> pa.DictionaryArray:
    """Return the texts at `positions`, each distinct one once: texts cost more than numbers do."""
    coded = pa.array(positions).dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices, texts.take(coded.dictionary))


def list_batch(
    keys: pa.Array,
    lengths: npt.NDArray[np.int64],
    item_ids: pa.Array,
    scores: npt.NDArray[np.float64],
    codes: pa.Array,
    because: pa.Array,
) -> pa.RecordBatch:
    """Put flat columns together as rows of `LIST_SCHEMA`; keys without items are left out.

    `lengths` gives the items a key; the other arrays hold sum(lengths) values, texts as they are
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
