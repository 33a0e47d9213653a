"""Training: implicit-feedback ALS (Hu, Koren and Volinsky, ICDM 2008), by the library implicit."""

from contextlib import suppress

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from implicit.recommender_base import ModelFitError
from threadpoolctl import threadpool_limits

from tasks.artifacts.factors import Factors
from tasks.errors import ModelError
from tasks.models.als.settings import TrainSettings
from tasks.runs.run_folder import Progress


def fit(
    strengths: sp.csr_matrix,
    settings: TrainSettings,
    n_iterations: int,
    start: tuple[Factors, Factors] | None,
    progress: Progress,
) -> tuple[Factors, Factors]:
    """Return the factors of users and items; `ModelError` where one is not finite.

    BLAS is held to one thread, as implicit asks: its own threads already fill the machine.
    """

    def report(iteration: int, *_: object) -> None:
        progress(iteration + 1, n_iterations)

    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(
            factors=settings.factors,
            iterations=n_iterations,
            regularization=settings.regularization,
            random_state=settings.seed,
            dtype=np.float32,
        )
        if start:
            als.user_factors, als.item_factors = start
        with suppress(ModelFitError):  # NaN: judged below, together with infinity
            als.fit(confidence(strengths, settings.alpha), show_progress=False, callback=report)
    for side, factors in (("user", als.user_factors), ("item", als.item_factors)):
        if not np.isfinite(factors).all():
            raise ModelError(
                f"{side} factors hold NaN or infinity after {n_iterations} iterations; "
                f"raise NIGHTSHELF_TRAIN__REGULARIZATION (now {settings.regularization}) "
                f"or lower NIGHTSHELF_TRAIN__ALPHA (now {settings.alpha})"
            )
    return als.user_factors, als.item_factors


def confidence(interactions: sp.csr_matrix, alpha: float) -> sp.csr_matrix:
    """Turn strengths r into implicit's signed confidence: sign(r) * (1 + alpha * |r|).

    A negative value is implicit's way to say "preference 0, and surely so".
    """
    matrix = interactions.copy()
    matrix.data = np.sign(matrix.data) * (1 + np.float32(alpha) * np.abs(matrix.data))
    return matrix
