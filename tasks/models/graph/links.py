"""Links of the item-item graph, and users' profiles over it.

The family of P3alpha (Cooper et al., WWW 2014) and RP3beta (Paudel et al., TiiS 2017): a walk from
the user to an item, on to its other users, and on to their items, damped by degrees.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from implicit.nearest_neighbours import ItemItemRecommender

from tasks.io.blas import one_blas_thread
from tasks.models.base import in_order
from tasks.models.graph.settings import GraphSettings

Floats = npt.NDArray[np.float64]


def unit_of(strengths: sp.csr_matrix) -> float:
    """Return the mean size of a strength: 1 where there is none."""
    return float(np.abs(strengths.data).mean(dtype=np.float64)) if strengths.nnz else 1.0


def damped(strengths: sp.csr_matrix, unit: float) -> sp.csr_matrix:
    """Return ln(1 + strength / unit) of positive strengths (float64), the others left out."""
    rows = strengths.astype(np.float64, copy=True)  # zeros are dropped in place
    rows.data = np.log1p(np.maximum(rows.data, 0) / unit)
    rows.eliminate_zeros()
    return rows


def link(strengths: sp.csr_matrix, unit: float, settings: GraphSettings) -> sp.csr_matrix:
    """Return the largest links of each item (items x items), itself left out.

    implicit makes the product of the weighted matrix with itself, row by row on all cores, so both
    sides get the exponent that a row is ranked by; then a row gets its own.
    """
    rows = strongest(damped(strengths, unit), settings.history_items)
    of_users, of_items = (np.asarray(rows.sum(axis=axis)).ravel() for axis in (1, 0))
    half = power(of_users, -settings.user_exponent / 2)
    ranked = power(of_items, -settings.neighbour_exponent)
    weighted = sp.csr_matrix(sp.diags(half) @ rows @ sp.diags(ranked))
    knn = ItemItemRecommender(K=settings.neighbours + 1)
    with one_blas_thread():
        knn.fit(weighted, show_progress=False)
    owned = power(of_items, settings.neighbour_exponent - settings.item_exponent)
    links = sp.csr_matrix(sp.diags(owned) @ knn.similarity)
    links.setdiag(0)
    return in_order(links)


def strongest(rows: sp.csr_matrix, n: int) -> sp.csr_matrix:
    """Return the rows with their `n` largest entries each, ties by column."""
    long = np.flatnonzero(np.diff(rows.indptr) > n)
    if not len(long):
        return rows
    kept = np.ones(rows.nnz, bool)
    for row in long:
        mine = slice(rows.indptr[row], rows.indptr[row + 1])
        order = np.lexsort((rows.indices[mine], -rows.data[mine]))
        kept[mine.start + order[n:]] = False
    starts = np.concatenate(([0], np.cumsum(kept)))[rows.indptr]
    return sp.csr_matrix((rows.data[kept], rows.indices[kept], starts), rows.shape)


def profiles_of(recent: sp.csr_matrix, unit: float) -> sp.csr_matrix:
    """Return each user's weights of the items in the profile (users x items), adding up to 1."""
    rows = damped(recent, unit)
    total = np.asarray(rows.sum(axis=1)).ravel()
    return in_order(sp.diags(power(total, -1)) @ rows)


def power(degrees: Floats, exponent: float) -> Floats:
    """Raise positive degrees to a power; the others give 0."""
    raised = np.power(degrees, exponent, where=degrees > 0, out=np.zeros(len(degrees)))
    return np.asarray(raised, np.float64)
