"""iALS as a `Model`."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
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
from tasks.runs.run_folder import Progress, no_progress


class Ials(Model):
    """iALS with frequency-scaled regularization (Rendle et al., RecSys 2022)."""

    Settings = IalsSettings
    settings: IalsSettings

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
        return cls.of_factors(data, settings, users, items, n_iterations)

    @classmethod
    def of_factors(
        cls,
        data: Interactions,
        settings: IalsSettings,
        users: Factors,
        items: Factors,
        n_iterations: int,
    ) -> Self:
        """Return the model of trained factors, in which cold items get theirs from content."""
        mean = mean_strength(data.strengths)
        weights = signed_weights(data.strengths, mean, settings.alpha)
        filled = with_cold_items(items, data.strengths, data.content)
        if filled is not items:  # the users' factors are those of `fold_in`
            users, items = fold_in(weights, filled, settings, users), filled
        return cls(
            settings,
            data.user_ids,
            data.item_ids,
            users,
            items,
            no_links(len(users), len(items)),
            no_links(len(items), len(items)),
            {"mean_strength": mean},
            n_iterations,
        )

    @classmethod
    def warm_start(cls, settings: IalsSettings) -> tuple[WarmSettings, Mapping[str, Any]] | None:  # noqa: D102
        return settings, {name: getattr(settings, name) for name in settings.SHARED}

    def fold_in(self, histories: Histories) -> tuple[Factors, sp.csr_matrix]:  # noqa: D102
        users = fold_in(self._weights(histories.strengths), self.items, self.settings)
        return users, no_links(len(users), len(self.items))

    def reasons(self, histories: Histories) -> Reasons:  # noqa: D102
        return explainer(self._weights(histories.strengths), self.items, self.settings)

    def contributions(self, history: Histories, item: int) -> Contributions:  # noqa: D102
        weights = self._weights(history.strengths)
        return Contributions(contributions(weights, item, self.items, self.settings))

    def _weights(self, strengths: sp.csr_matrix) -> sp.csr_matrix:
        mean = self.facts["mean_strength"]
        return signed_weights(strengths, mean, self.settings.alpha)
