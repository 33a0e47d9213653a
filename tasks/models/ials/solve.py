"""The least squares of one side: its rows' factors for given factors of the other side."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.io.blas import one_blas_thread
from tasks.io.parallel import row_ranges
from tasks.models.ials._jit.solve import N_WORK, solve_rows

#: Rows that are widened to float64 at a time.
_BLOCK = 65_536


def eigenbasis(
    factors: Factors,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the eigenvalues (k) and eigenvectors (k x k) of the gram matrix of factors (m x k)."""
    gram = np.zeros((factors.shape[1], factors.shape[1]))
    for first in range(0, len(factors), _BLOCK):
        wide = factors[first : first + _BLOCK].astype(np.float64)
        gram += wide.T @ wide
    values, vectors = np.linalg.eigh(gram)
    return np.maximum(values, 0), vectors


def solve_side(
    start: Factors,
    other: Factors,
    weights: sp.csr_matrix,
    ridge: npt.NDArray[np.float64],
    unobserved_weight: float,
    max_steps: int,
) -> Factors:
    """Return factors (n x k) that minimise the loss of each row, improved from `start` (n x k).

    `weights` (n x m) are the observed pairs' signed weights and `ridge` (n) each row's
    regularization. Conjugate gradients end after `max_steps`. No row's factors depend on another's,
    nor on the number of threads.
    """
    with one_blas_thread():
        values, vectors = eigenbasis(other)
        turn = vectors.astype(np.float32)
        rotated, out = other @ turn, start @ turn
        shared = (unobserved_weight * values).astype(np.float32)
        narrow = ridge.astype(np.float32)

        def solve(rows: tuple[int, int]) -> None:
            work = np.empty((N_WORK, other.shape[1]), np.float32)
            spans, columns, data = weights.indptr, weights.indices, weights.data
            solve_rows(rows, spans, columns, data, rotated, shared, narrow, max_steps, out, work)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(solve, row_ranges(weights.indptr)))
        return np.asarray(out @ turn.T)
