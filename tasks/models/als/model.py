"""ALS as a `Model`, and the step that trains it."""

from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.artifacts.records import Features, TrainedModel
from tasks.models.als.explain import Explainer, contributions
from tasks.models.als.fold_in import fold_in
from tasks.models.als.settings import TrainSettings
from tasks.models.als.train import fit
from tasks.models.base import Interactions, Model, Reasons, Start, train
from tasks.models.warm_start import inherit
from tasks.runs.journal import computed
from tasks.runs.run_folder import Progress, Run, no_progress


class Als(Model):
    """Implicit-feedback ALS (Hu, Koren and Volinsky, ICDM 2008)."""

    Settings = TrainSettings
    settings: TrainSettings

    @classmethod
    def fit(  # noqa: D102
        cls,
        data: Interactions,
        settings: TrainSettings,
        start: Model | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Self:
        n_iterations = settings.warm_iterations if start else settings.iterations
        first = None
        if start:
            rng = np.random.default_rng(settings.seed)
            first = (
                inherit(start.users, start.user_ids, data.user_ids, rng),
                inherit(start.items, start.item_ids, data.item_ids, rng),
            )
        users, items = fit(data.strengths, settings, n_iterations, first, progress)
        return cls(settings, data.user_ids, data.item_ids, users, items, n_iterations)

    def fold_in(self, strengths: sp.csr_matrix) -> Factors:  # noqa: D102
        return fold_in(strengths, self.items, self.settings)

    def reasons(self, strengths: sp.csr_matrix) -> Reasons:  # noqa: D102
        return Explainer.of(strengths, self.items, self.settings)

    def contributions(  # noqa: D102
        self, strengths: sp.csr_matrix, item: int
    ) -> npt.NDArray[np.float64]:
        return contributions(strengths, item, self.items, self.settings)


@computed
def train_als(
    run: Run,
    features: Features,
    settings: TrainSettings,
    start: Start | None = None,
    *,
    progress: Progress = no_progress,
) -> TrainedModel:
    """Train ALS on the features, anew or from a `start`; `ModelError` where it is not finite."""
    return train("als", Als, run, features, settings, start, progress)
