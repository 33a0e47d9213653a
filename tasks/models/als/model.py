"""ALS as a `Model`."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.models.als.explain import Explainer, contributions
from tasks.models.als.fold_in import fold_in
from tasks.models.als.settings import TrainSettings
from tasks.models.als.train import Loss, fit
from tasks.models.base import (
    Contributions,
    Histories,
    Interactions,
    Model,
    Reasons,
    WarmSettings,
    no_links,
)
from tasks.models.content import with_cold_items
from tasks.models.warm_start import inherit
from tasks.runs.run_folder import Progress, no_progress


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
        loss = Loss.of(data.strengths, settings)
        n_iterations = settings.warm_iterations if start else settings.iterations
        first = None
        if start and start.items.shape[1] == loss.factors:
            rng = np.random.default_rng(settings.seed)
            first = (
                inherit(start.users, start.user_ids, data.user_ids, rng),
                inherit(start.items, start.item_ids, data.item_ids, rng),
            )
        elif start:  # the catalogue has grown into more factors
            n_iterations = settings.iterations
        users, items = fit(data.strengths, loss, settings.seed, n_iterations, first, progress)
        return cls.of_factors(data, settings, loss, users, items, n_iterations)

    @classmethod
    def of_factors(
        cls,
        data: Interactions,
        settings: TrainSettings,
        loss: Loss,
        users: Factors,
        items: Factors,
        n_iterations: int,
    ) -> Self:
        """Return the model of trained factors, in which cold items get theirs from content."""
        items = with_cold_items(items, data.strengths, data.content)
        return cls(
            settings,
            data.user_ids,
            data.item_ids,
            users,
            items,
            no_links(len(users), len(items)),
            no_links(len(items), len(items)),
            loss._asdict(),
            n_iterations,
        )

    @property
    def loss(self) -> Loss:
        """Weights of the loss that it was trained with."""
        facts, n_factors = self.facts, self.items.shape[1]
        return Loss(facts["rate"], facts["dislikes"], facts["regularization"], n_factors)

    @classmethod
    def warm_start(cls, settings: TrainSettings) -> tuple[WarmSettings, Mapping[str, Any]] | None:  # noqa: D102
        return settings, {name: getattr(settings, name) for name in settings.SHARED}

    def fold_in(self, histories: Histories) -> tuple[Factors, sp.csr_matrix]:  # noqa: D102
        users = fold_in(histories.strengths, self.items, self.loss)
        return users, no_links(len(users), len(self.items))

    def reasons(self, histories: Histories) -> Reasons:  # noqa: D102
        return Explainer.of(histories.strengths, self.items, self.loss)

    def contributions(self, history: Histories, item: int) -> Contributions:  # noqa: D102
        return Contributions(contributions(history.strengths, item, self.items, self.loss))
