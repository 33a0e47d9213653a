"""Factors of cold items, predicted from content: category, tags and price band.

Ridge regression from content to the factors of the items with interactions. The strength of the
ridge minimises generalised cross-validation (Golub, Heath and Wahba, Technometrics 1979), over the
grid below; the stronger it is, the nearer is a cold item to the mean of all items. An item of n
users weighs n / (n + 5): the factors of a few users are noise, but beyond that an item of many
users counts as one item, or cold items would be predicted to be as popular as the most popular
(docs/decisions/0045-cold-items.md).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.artifacts.catalogue import UNKNOWN
from tasks.artifacts.factors import Factors
from tasks.io.columns import CATEGORY, ITEM_ID, PRICE, TAGS, positions_of

#: Users of an item whose factors are half noise.
_FEW_USERS = 5
#: Bands of price, with equally many items each.
_PRICE_BANDS = 10
#: Tags that count, those given most often.
_MAX_TAGS = 500
#: Ridge strengths, as multiples of the mean eigenvalue.
_STRENGTHS = 10.0 ** np.arange(-4, 4)

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def load_content(item_features: Path, item_ids: pa.StringArray) -> sp.csr_matrix:
    """Load the content of items (items x flags) from their rows, in the order of the ids."""
    table = pq.read_table(item_features, columns=[ITEM_ID, CATEGORY, PRICE, TAGS])
    return content_of(table.take(pc.index_in(item_ids, table.column(ITEM_ID).combine_chunks())))


def with_cold_items(
    items: Factors, strengths: sp.csr_matrix, content: sp.csr_matrix | None
) -> Factors:
    """Return item factors (items x k) in which those of cold items are predicted from `content`.

    Cold is an item without an entry in `strengths` (users x items); without content its factors are
    zero. The factors of all other items stay as they are.
    """
    n_users = np.bincount(strengths.indices, minlength=len(items)).astype(np.float64)
    warm = n_users > 0
    if warm.all():
        return items
    filled = items.copy()
    filled[~warm] = 0
    if content is not None and warm.any():
        weight = n_users[warm] / (n_users[warm] + _FEW_USERS)
        filled[~warm] = fit_ridge(content[warm], items[warm], weight).predict(content[~warm])
    return filled


def content_of(items: pa.Table) -> sp.csr_matrix:
    """Return the content of items as flags (items x flags, float64).

    `items` has category, tags and price. The unknown category, tags given once and a price
    that is missing are no flags.
    """
    category = items.column(CATEGORY).combine_chunks()
    tags = items.column(TAGS).combine_chunks()
    names = pc.unique(category).drop_null()
    names = names.filter(pc.not_equal(names, UNKNOWN)).sort()
    rows = np.arange(len(items))
    flags = [
        _flags(rows, positions_of(category, names), len(items), len(names)),
        _tag_flags(tags, len(items)),
        _flags(rows, _price_bands(items.column(PRICE)), len(items), _PRICE_BANDS),
    ]
    return sp.csr_matrix(sp.hstack(flags))


def _tag_flags(tags: pa.Array, n_items: int) -> sp.csr_matrix:
    rows, named = pc.list_parent_indices(tags).to_numpy(), pc.list_flatten(tags)
    counts = pc.value_counts(named)
    order = sorted(
        (-n, name)
        for name, n in zip(*(each.to_pylist() for each in counts.flatten()), strict=True)
        if n > 1 and name is not None
    )
    kept = pa.array([name for _, name in order[:_MAX_TAGS]], pa.string())
    return _flags(rows, positions_of(named, kept), n_items, len(kept))


def _price_bands(price: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """Return the band of each price, -1 for none."""
    given = np.asarray(price.to_numpy(), np.float64)
    known = np.isfinite(given)
    if not known.any():
        return np.full(len(given), -1, np.int32)
    edges = np.quantile(given[known], np.arange(1, _PRICE_BANDS) / _PRICE_BANDS)
    return np.where(known, np.searchsorted(edges, given, "right"), -1).astype(np.int32)


def _flags(
    rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], n_items: int, n: int
) -> sp.csr_matrix:
    known = columns >= 0
    ones = np.ones(np.count_nonzero(known))
    flags = sp.csr_matrix((ones, (rows[known], columns[known])), (n_items, n))
    flags.data[:] = 1  # an item may name a tag twice
    return flags


class Ridge(NamedTuple):
    """A linear map from content to factors: `offset` (k) + content @ `weights` (flags x k)."""

    offset: Doubles
    weights: Doubles

    def predict(self, content: sp.csr_matrix) -> Factors:
        """Return factors (items x k, float32) by content (items x flags)."""
        return np.asarray(self.offset + content @ self.weights, np.float32)


def fit_ridge(content: sp.csr_matrix, factors: Factors, weight: Doubles) -> Ridge:
    """Fit factors (items x k) by content (items x flags), each item of a `weight` (items,).

    The offset is not shrunk. Everything is solved in the eigenbasis of the weighted, centred
    content, where all strengths cost one decomposition.
    """
    wide, weight = factors.astype(np.float64), weight / weight.mean()
    total = weight.sum()
    middle, offset = content.T @ weight / total, weight @ wide / total
    centred = wide - offset
    weighted = sp.diags_array(weight) @ content
    gram = (content.T @ weighted).toarray() - total * np.outer(middle, middle)
    values, basis = np.linalg.eigh(gram)
    values = np.maximum(values, 0)
    target = basis.T @ (weighted.T @ centred)
    strengths = _STRENGTHS * (float(values.mean()) if values.any() else 1.0)
    squares = float(np.sum(weight[:, None] * centred**2))
    strength = min(strengths, key=lambda each: _gcv(each, values, target, squares, len(weight)))
    weights = basis @ (target / (values + strength)[:, None])
    return Ridge(offset - middle @ weights, weights)


def _gcv(strength: float, values: Doubles, target: Doubles, squares: float, n_items: int) -> float:
    """Return the generalised cross-validation error of a ridge strength."""
    eased = values + strength
    residual = squares - float(np.sum(target**2 * ((eased + strength) / eased**2)[:, None]))
    free = 1 - (1 + float(np.sum(values / eased))) / n_items
    return residual / free**2 if free > 0 else np.inf
