"""Training: implicit-feedback ALS (Hu, Koren and Volinsky, ICDM 2008), by the library implicit."""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from implicit.recommender_base import ModelFitError

from tasks.artifacts.factors import Factors
from tasks.errors import ModelError
from tasks.io.blas import one_blas_thread
from tasks.models.als.settings import TrainSettings
from tasks.runs.run_folder import Progress

_LEAST_FACTORS = 8


class Loss(NamedTuple):
    """Weights of the loss that a night trained with, as its settings and its data give them.

    Confidence is 1 + `rate` * |r|; negative strengths count `dislikes` times.
    """

    rate: float
    dislikes: float
    regularization: float
    factors: int

    @classmethod
    def of(cls, strengths: sp.csr_matrix, settings: TrainSettings) -> "Loss":
        """Fit the settings to the data: strengths (users x items, signed) of any unit."""
        size = np.abs(strengths.data).mean(dtype=np.float64) if strengths.nnz else 1.0
        rate = settings.alpha / size
        mass = confidence(strengths, rate, settings.dislikes).data
        row = np.abs(mass).sum(dtype=np.float64) / max(strengths.shape[0], 1)
        most = max(_LEAST_FACTORS, strengths.shape[1] // settings.items_per_factor)
        return cls(
            float(rate),
            settings.dislikes,
            float(settings.regularization * row),
            min(settings.factors, most),
        )


def fit(
    strengths: sp.csr_matrix,
    loss: Loss,
    seed: int,
    n_iterations: int,
    start: tuple[Factors, Factors] | None,
    progress: Progress,
) -> tuple[Factors, Factors]:
    """Return the factors of users and items; `ModelError` where one is not finite.

    BLAS is held to one thread, as implicit asks: its own threads already fill the machine.
    """

    def report(iteration: int, *_: object) -> None:
        progress(iteration + 1, n_iterations)

    with one_blas_thread():
        als = AlternatingLeastSquares(
            factors=loss.factors,
            iterations=n_iterations,
            regularization=loss.regularization,
            random_state=seed,
            dtype=np.float32,
        )
        if start:
            als.user_factors, als.item_factors = start
        rows = confidence(strengths, loss.rate, loss.dislikes)
        with suppress(ModelFitError):  # NaN: judged below, together with infinity
            als.fit(rows, show_progress=False, callback=report)
    for side, factors in (("user", als.user_factors), ("item", als.item_factors)):
        if not np.isfinite(factors).all():
            raise ModelError(
                f"{side} factors hold NaN or infinity after {n_iterations} iterations; raise "
                f"NIGHTSHELF_TRAIN__REGULARIZATION (it makes {loss.regularization:.3g}) or lower "
                f"NIGHTSHELF_TRAIN__ALPHA (it makes {loss.rate:.3g} a unit of strength)"
            )
    return als.user_factors, als.item_factors


def confidence(interactions: sp.csr_matrix, rate: float, dislikes: float = 1.0) -> sp.csr_matrix:
    """Turn strengths r into implicit's signed confidence: sign(r) * (1 + rate * |r|).

    A negative value is implicit's way to say "preference 0, and surely so"; it counts `dislikes`
    times, and is left out where that is 0.
    """
    matrix = interactions.copy()
    r = matrix.data if dislikes == 1 else np.where(matrix.data < 0, dislikes, 1) * matrix.data
    matrix.data = (np.sign(r) * (1 + np.float32(rate) * np.abs(r))).astype(np.float32)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix
