"""Fold-in: factors for users with new events, by ALS's own equations.

The items' factors stay as they were trained. A user's are the solution of the regularised least
squares that training solves for each user in turn (Hu, Koren and Volinsky, ICDM 2008, equation 4),
over the user's whole history: with a part of it the rest would be forgotten.
"""

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares

from tasks.artifacts.factors import Factors
from tasks.errors import ModelError
from tasks.io.blas import one_blas_thread
from tasks.models.als.train import Loss, confidence


def fold_in(strengths: sp.csr_matrix, items: Factors, loss: Loss) -> Factors:
    """Return factors (users x k, float32) for strengths (users x items), by implicit's own solver.

    `loss` is what the items' factors were trained with. No user's factors depend on who else is
    asked for. Raises `ModelError` where one is not finite.
    """
    with one_blas_thread():  # as in training
        als = AlternatingLeastSquares(
            factors=items.shape[1], regularization=loss.regularization, dtype=np.float32
        )
        als.item_factors = np.array(items, np.float32, order="C")  # implicit wants it writable
        rows = confidence(strengths, loss.rate, loss.dislikes)
        users: Factors = als.recalculate_user(np.arange(rows.shape[0]), rows)
    if not np.isfinite(users).all():
        raise ModelError(
            "folded-in user factors hold NaN or infinity: the live model cannot be refreshed with "
            f"regularization {loss.regularization:.3g} and {loss.rate:.3g} a unit of strength"
        )
    return users
