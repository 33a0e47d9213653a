"""Links of EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019).

B minimises |X - X B|^2 + lambda |B|^2 with a diagonal of 0. With P = (X'X + lambda I)^-1 it is
B_ji = -P_ji / P_ii off the diagonal.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import lapack

from tasks.errors import ModelError
from tasks.io.blas import one_blas_thread
from tasks.models.base import in_order
from tasks.models.ease.settings import EaseSettings

#: Rows whose largest links are chosen at a time.
_BLOCK = 512


def link(rows: sp.csr_matrix, settings: EaseSettings) -> sp.csr_matrix:
    """Return the largest positive links of each item (items x items) by users' rows.

    An entry (j, i) is what a unit of j in a profile adds to the score of i. Takes about 8 bytes an
    entry of the full matrix. Raises `ModelError` for more than `max_items`, and where the matrix
    has no inverse.
    """
    n_items = rows.shape[1]
    if n_items > settings.max_items:
        raise ModelError(
            f"ease: {n_items:,} items are more than NIGHTSHELF_EASE__MAX_ITEMS "
            f"({settings.max_items:,}); raise it, or leave ease out of NIGHTSHELF_MODELS__NAMES"
        )
    inverse = _inverse(rows, settings.regularization)
    diagonal = inverse.diagonal().copy()
    blocks = []
    for first in range(0, n_items, _BLOCK):
        links = -inverse[first : first + _BLOCK] / diagonal
        own = np.arange(len(links))
        links[own, first + own] = 0
        blocks.append(_largest(links, settings.neighbours))
    return in_order(sp.vstack(blocks, "csr"))


def _inverse(rows: sp.csr_matrix, regularization: float) -> npt.NDArray[np.float32]:
    """Return (X'X + lambda I)^-1, by Cholesky on one thread: equal bytes on any number of cores."""
    gram = np.asfortranarray((rows.T @ rows).toarray().astype(np.float32))
    gram[np.diag_indices_from(gram)] += np.float32(regularization)
    with one_blas_thread():
        half, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
        inverse, failed_too = lapack.spotri(half, lower=1, overwrite_c=1)
    if failed or failed_too or not np.isfinite(inverse).all():
        raise ModelError(
            f"ease: X'X has no inverse; raise NIGHTSHELF_EASE__REGULARIZATION ({regularization})"
        )
    lower: npt.NDArray[np.float32] = np.tril(inverse)
    lower += np.tril(inverse, -1).T
    return lower


def _largest(links: npt.NDArray[np.float32], n: int) -> sp.csr_matrix:
    """Keep the n largest positive entries of each row."""
    if links.shape[1] > n:
        least = np.partition(links, -n, axis=1)[:, -n, None]
        links = np.where(links >= least, links, 0)
    return sp.csr_matrix(np.maximum(links, 0))
