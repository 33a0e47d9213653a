"""iALS as a `Model`, and the step that trains it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.artifacts.records import Features, TrainedModel
from tasks.models.base import Interactions, Model, Reasons, Start, train
from tasks.models.ials.explain import contributions, explainer
from tasks.models.ials.settings import IalsSettings
from tasks.models.ials.train import (
    first_factors,
    fit,
    fold_in,
    mean_strength,
    signed_weights,
)
from tasks.models.warm_start import inherit
from tasks.runs.journal import computed
from tasks.runs.run_folder import Progress, Run, no_progress

_STRENGTHS = "strengths.json"


@dataclass(frozen=True, eq=False)
class Ials(Model):
    """iALS with frequency-scaled regularization (Rendle et al., RecSys 2022).

    `mean_strength` is that of the pairs it was trained on, by which strengths become weights.
    """

    Settings = IalsSettings
    settings: IalsSettings
    mean_strength: float = 1.0

    @classmethod
    def fit(  # noqa: D102
        cls,
        data: Interactions,
        settings: IalsSettings,
        start: Model | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Self:
        mean, rng = mean_strength(data.strengths), np.random.default_rng(settings.seed)
        weights = signed_weights(data.strengths, mean, settings.alpha)
        if start:
            n_iterations = settings.warm_iterations
            first = (
                inherit(start.users, start.user_ids, data.user_ids, rng),
                inherit(start.items, start.item_ids, data.item_ids, rng),
            )
        else:
            n_iterations = settings.iterations
            first = first_factors(weights, settings.factors, rng)
        users, items = fit(weights, settings, n_iterations, first, progress)
        return cls(settings, data.user_ids, data.item_ids, users, items, n_iterations, mean)

    def fold_in(self, strengths: sp.csr_matrix) -> Factors:  # noqa: D102
        return fold_in(self._weights(strengths), self.items, self.settings)

    def reasons(self, strengths: sp.csr_matrix) -> Reasons:  # noqa: D102
        return explainer(self._weights(strengths), self.items, self.settings)

    def contributions(  # noqa: D102
        self, strengths: sp.csr_matrix, item: int
    ) -> npt.NDArray[np.float64]:
        return contributions(self._weights(strengths), item, self.items, self.settings)

    def save(self, folder: Path) -> None:  # noqa: D102
        super().save(folder)
        (folder / _STRENGTHS).write_text(json.dumps({"mean": self.mean_strength}) + "\n")

    @classmethod
    def load(cls, folder: Path, *, with_users: bool = True) -> Self:  # noqa: D102
        mean = json.loads((folder / _STRENGTHS).read_text())["mean"]
        return replace(super().load(folder, with_users=with_users), mean_strength=float(mean))

    def _weights(self, strengths: sp.csr_matrix) -> sp.csr_matrix:
        return signed_weights(strengths, self.mean_strength, self.settings.alpha)


@computed
def train_ials(
    run: Run,
    features: Features,
    settings: IalsSettings,
    start: Start | None = None,
    *,
    progress: Progress = no_progress,
) -> TrainedModel:
    """Train iALS on the features, anew or from a `start`; `ModelError` where it is not finite."""
    return train("ials", Ials, run, features, settings, start, progress)
