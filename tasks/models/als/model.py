"""ALS as a `Model`: the library implicit behind the protocol."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from tasks.artifacts.factors import Factors, load_factors, save_factors
from tasks.artifacts.records import Features, TrainedModel
from tasks.models.als.explain import Explainer, contributions
from tasks.models.als.fold_in import fold_in
from tasks.models.als.settings import TrainSettings
from tasks.models.als.train import fit, inherit
from tasks.models.base import Interactions, Reasons, Start, save_settings, train
from tasks.runs.run_folder import Progress, Run, computed, no_progress
from tasks.runs.saved_run import read_settings, settings_of


@dataclass(frozen=True, eq=False)
class Als:
    """Implicit-feedback ALS (Hu, Koren and Volinsky, ICDM 2008); methods as in `Model`."""

    settings: TrainSettings
    user_ids: pa.StringArray
    item_ids: pa.StringArray
    users: Factors
    items: Factors
    n_iterations: int = 0

    @classmethod
    def fit(  # noqa: D102
        cls,
        data: Interactions,
        settings: TrainSettings,
        start: Self | None = None,
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

    def save(self, folder: Path) -> None:  # noqa: D102
        save_settings(folder / "settings.json", self.settings)
        save_factors(folder / "user_factors.parquet", self.user_ids, self.users)
        save_factors(folder / "item_factors.parquet", self.item_ids, self.items)

    @classmethod
    def load(cls, folder: Path, *, with_users: bool = True) -> Self:  # noqa: D102
        settings = settings_of(TrainSettings, read_settings(folder))
        item_ids, items = load_factors(folder / "item_factors.parquet")
        user_ids, users = pa.array([], pa.string()), items[:0]
        if with_users:
            user_ids, users = load_factors(folder / "user_factors.parquet")
        return cls(settings, user_ids, item_ids, users, items)

    def with_users(self, ids: pa.StringArray, strengths: sp.csr_matrix) -> Self:  # noqa: D102
        return replace(self, user_ids=ids, users=fold_in(strengths, self.items, self.settings))

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
