"""The catalogue as the rules of a list see it: categories and availability, by position."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.io.columns import AVAILABLE, CATEGORY, ITEM_ID

#: The category of an item that names none, and of one that the catalogue does not know.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Catalogue:
    """Ids, categories and availability of the items to rank, by position.

    `categories` are numbers from 0 to `n_categories` - 1.
    """

    ids: pa.StringArray
    categories: npt.NDArray[np.int32]
    category_names: list[str]
    available: npt.NDArray[np.bool_]

    @property
    def n_categories(self) -> int:
        """Number of categories."""
        return len(self.category_names)

    @property
    def uncapped(self) -> int:
        """The number of the category `unknown`, which no rule caps; -1 where every item has one."""
        return self.category_names.index(UNKNOWN) if UNKNOWN in self.category_names else -1

    @cached_property
    def names(self) -> pa.StringArray:
        """Item ids, category names, and last the empty string: all that a list can name."""
        return pa.concat_arrays([self.ids, pa.array([*self.category_names, ""], pa.string())])


def load_catalogue(item_features: Path, ids: pa.StringArray | None = None) -> Catalogue:
    """Load category and availability of `ids`, in their order, or of the whole catalogue."""
    table = pq.read_table(item_features, columns=[ITEM_ID, CATEGORY, AVAILABLE])
    if ids is not None:
        table = table.take(pc.index_in(ids, table.column(ITEM_ID).combine_chunks()))
    category = table.column(CATEGORY).combine_chunks().dictionary_encode()
    return Catalogue(
        ids=table.column(ITEM_ID).combine_chunks(),
        categories=category.indices.to_numpy().astype(np.int32),
        category_names=category.dictionary.to_pylist(),
        available=table.column(AVAILABLE).combine_chunks().to_numpy(zero_copy_only=False),
    )
