"""EASE as a `Model`: the graph's profiles over links that explain each item by all others."""

from typing import Self

import numpy as np

from tasks.models.base import Interactions, Model
from tasks.models.ease.links import link
from tasks.models.ease.settings import EaseSettings
from tasks.models.graph.links import damped, profiles_of, unit_of
from tasks.models.graph.model import Graph
from tasks.runs.run_folder import Progress, no_progress


class Ease(Graph):
    """Items linked by EASE (Steck, WWW 2019); what is not linked scores 0.

    Rows are ln(1 + strength / mean strength), as the graph's are.
    """

    Settings = EaseSettings  # type: ignore[assignment]
    settings: EaseSettings  # type: ignore[assignment]

    @classmethod
    def fit(  # type: ignore[override]  # noqa: D102
        cls,
        data: Interactions,
        settings: EaseSettings,
        start: Model | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Self:
        del start
        unit = unit_of(data.strengths)
        links = link(damped(data.strengths, unit), settings)
        progress(1, 1)
        users, items = (
            np.zeros((len(ids), 1), np.float32) for ids in (data.user_ids, data.item_ids)
        )
        profiles, facts = profiles_of(data.recent, unit), {"unit": unit}
        return cls(
            settings,
            data.user_ids, data.item_ids, users, items, profiles, links, facts, 1,
        )  # fmt: skip
