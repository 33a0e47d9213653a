"""Reasons: the item of a user's history that adds most to a score, each user by their own system.

x_u = W_u^-1 sum of max(w, 0) y over the history, W_u = alpha_0 Y'Y + sum of |w| y y' + ridge_u I,
so the score of j is the sum over i of max(w_i, 0) y_i' W_u^-1 y_j.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.models.als._jit.explain import BLOCK
from tasks.models.als.explain import Explainer
from tasks.models.ials.settings import IalsSettings
from tasks.models.ials.solve import eigenbasis
from tasks.models.ials.train import ridge


def explainer(weights: sp.csr_matrix, items: Factors, settings: IalsSettings) -> Explainer:
    """Prepare with the signed weights (users x items); hold BLAS to one thread.

    In the eigenbasis of Y'Y the part of W_u without the history is diagonal, which makes it ALS's
    decomposition with columns scaled for each user.
    """
    values, vectors = eigenbasis(items)
    more = -len(values) % BLOCK
    rotated = np.pad(items.astype(np.float64) @ vectors, ((0, 0), (0, more)))
    shared = np.pad(settings.unobserved_weight * values, (0, more), constant_values=1.0)
    return Explainer(rotated, shared, ridge(weights, settings), weights, covered=0.0)


def contributions(
    weights: sp.csr_matrix, item: int, items: Factors, settings: IalsSettings
) -> npt.NDArray[np.float64]:
    """Decompose an item's score over one user's history, of signed weights (1 x items).

    Returns one value for each entry of `weights`, in its order; they add up to the score by
    `fold_in`. Disliked items add nothing.
    """
    wide, (own,) = items.astype(np.float64), ridge(weights, settings)
    taken, weight = wide[weights.indices], weights.data.astype(np.float64)
    system = settings.unobserved_weight * wide.T @ wide + own * np.eye(wide.shape[1])
    system += taken.T @ (taken * np.abs(weight)[:, None])
    points: npt.NDArray[np.float64] = np.maximum(weight, 0) * (
        taken @ np.linalg.solve(system, wide[item])
    )
    return points
