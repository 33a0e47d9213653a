"""Training: iALS (Rendle, Krichene, Zhang and Koren, RecSys 2022).

The loss, over factors x of users and y of items, signed weights w of the observed pairs, p = 1 for
w > 0 and 0 otherwise:

    sum over observed (u, i) of |w_ui| (x_u . y_i - p_ui)^2 + alpha_0 sum over all (x_u . y_i)^2
    + lambda (sum over u of (#u + alpha_0 n_items)^nu |x_u|^2
              + sum over i of (#i + alpha_0 n_users)^nu |y_i|^2)

#u and #i are the sums of |w| of a row; where all pairs weigh 1 they count pairs, as in the paper.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.errors import ModelError
from tasks.models.ials.settings import IalsSettings
from tasks.models.ials.solve import solve_side
from tasks.runs.run_folder import Progress

#: Steps of conjugate gradients a half-iteration, from where the last one ended.
_STEPS = 3
#: More than a solution takes in float32.
_STEPS_TO_END = 200


def fit(
    weights: sp.csr_matrix,
    settings: IalsSettings,
    n_iterations: int,
    start: tuple[Factors, Factors],
    progress: Progress,
) -> tuple[Factors, Factors]:
    """Return the factors of users and items; `ModelError` where one is not finite.

    The users' factors are solved once more after the last iteration: they are those of `fold_in`.
    """
    by_item = sp.csr_matrix(weights.T)
    ridges = ridge(weights, settings), ridge(by_item, settings)
    users, items = start
    for done in range(n_iterations):
        users = solve_side(users, items, weights, ridges[0], settings.unobserved_weight, _STEPS)
        items = solve_side(items, users, by_item, ridges[1], settings.unobserved_weight, _STEPS)
        progress(done + 1, n_iterations)
    users = fold_in(weights, items, settings, users)
    if not np.isfinite(items).all():
        raise ModelError(_not_finite("item", settings))
    return users, items


def first_factors(
    weights: sp.csr_matrix, k: int, rng: np.random.Generator
) -> tuple[Factors, Factors]:
    """Return zeros for users, who are solved first, and small random factors for items."""
    n_users, n_items = weights.shape
    items = rng.standard_normal((n_items, k), np.float32) * np.float32(0.1 / np.sqrt(k))
    return np.zeros((n_users, k), np.float32), items


def fold_in(
    weights: sp.csr_matrix, items: Factors, settings: IalsSettings, start: Factors | None = None
) -> Factors:
    """Return the users' factors (users x k) for those of the items, by signed weights."""
    if start is None:
        start = np.zeros((weights.shape[0], items.shape[1]), np.float32)
    alpha_0 = settings.unobserved_weight
    users = solve_side(start, items, weights, ridge(weights, settings), alpha_0, _STEPS_TO_END)
    if not np.isfinite(users).all():
        raise ModelError(_not_finite("user", settings))
    return users


def signed_weights(strengths: sp.csr_matrix, mean: float, alpha: float) -> sp.csr_matrix:
    """Turn strengths r into signed weights, columns in order.

    Their size is (1 + alpha * |r| / mean) / (1 + alpha): 1 for a pair of mean strength. A negative
    weight says "preference 0", as strongly as a positive one says 1.
    """
    matrix = sp.csr_matrix(strengths, dtype=np.float32, copy=True)
    matrix.sort_indices()
    sizes = (1 + alpha * (np.abs(matrix.data) / mean)) / (1 + alpha)
    matrix.data = (np.sign(matrix.data) * sizes).astype(np.float32)
    return matrix


def mean_strength(strengths: sp.csr_matrix) -> float:
    """Return the mean of |r| over the observed pairs; 1 where there are none."""
    return float(np.abs(strengths.data).mean(dtype=np.float64)) if strengths.nnz else 1.0


def ridge(weights: sp.csr_matrix, settings: IalsSettings) -> npt.NDArray[np.float64]:
    """Return each row's regularization: lambda (sum of |w| + alpha_0 n_columns)^nu."""
    sums = np.abs(weights).astype(np.float64) @ np.ones(weights.shape[1])
    base = sums + settings.unobserved_weight * weights.shape[1]
    scaled: npt.NDArray[np.float64] = settings.regularization * base**settings.frequency_exponent
    return scaled


def _not_finite(side: str, settings: IalsSettings) -> str:
    return (
        f"{side} factors hold NaN or infinity; raise NIGHTSHELF_IALS__REGULARIZATION "
        f"(now {settings.regularization}) or lower NIGHTSHELF_IALS__ALPHA "
        f"(now {settings.alpha})"
    )
