"""Recent popularity as a `Model`."""

from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.models.base import (
    POPULAR,
    Contributions,
    Histories,
    Interactions,
    Model,
    Reasons,
    no_links,
)
from tasks.models.popular.settings import PopularSettings
from tasks.runs.run_folder import Progress, no_progress


class Popular(Model):
    """Recent popularity, as a share of the most popular item's: one factor, 1 for every user."""

    Settings = PopularSettings

    @classmethod
    def fit(  # noqa: D102
        cls,
        data: Interactions,
        settings: PopularSettings,
        start: Model | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Self:
        del start
        items = popularity_column(data.popularity)
        progress(1, 1)
        return cls(
            settings,
            data.user_ids,
            data.item_ids,
            np.ones((len(data.user_ids), 1), np.float32),
            items,
            no_links(len(data.user_ids), len(items)),
            no_links(len(items), len(items)),
            n_iterations=1,
        )

    def fold_in(self, histories: Histories) -> tuple[Factors, sp.csr_matrix]:  # noqa: D102
        n_users = histories.strengths.shape[0]
        return np.ones((n_users, 1), np.float32), no_links(n_users, len(self.items))

    def reasons(self, histories: Histories) -> Reasons:  # noqa: D102
        del histories
        return lambda _, listed, __: np.full(listed.shape, POPULAR, np.int32)

    def contributions(self, history: Histories, item: int) -> Contributions:  # noqa: D102
        return Contributions(np.zeros(history.strengths.nnz), float(self.items[item, 0]))


def popularity_column(points: npt.NDArray[np.float64]) -> Factors:
    """Return each item's recent popularity as a share of the largest (items x 1)."""
    most = points.max(initial=0)
    share = points / most if most > 0 else points
    return np.asarray(share[:, None], np.float32)
