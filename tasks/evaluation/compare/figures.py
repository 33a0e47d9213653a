"""Figures of lists, a value a user, and their means with intervals."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tasks.evaluation import list_metrics
from tasks.evaluation.compare.bootstrap import Figure, intervals
from tasks.evaluation.judged_lists import Audience, Listed
from tasks.evaluation.list_metrics import Exposure
from tasks.evaluation.ranking_metrics import Hits, at_depth

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Name = TypeVar("Name", bound=Hashable)

DEPTH = 10
NDCG = f"ndcg_at_{DEPTH}"
#: Figures of each group of users.
BY_GROUP = tuple(f"{name}_at_{DEPTH}" for name in ("ndcg", "recall", "hit_rate"))


@dataclass(frozen=True, eq=False)
class PerUser:
    """A figure's value for each user, and how much each counts in the mean; 0: not at all."""

    values: Floats
    weights: Floats

    def among(self, flags: Bools) -> "PerUser":
        """Return the figure of some users alone."""
        return PerUser(self.values, self.weights * flags)


def ranking_figures(hits: Hits, n_relevant: npt.NDArray[np.int64], n: int) -> dict[str, PerUser]:
    """Return each ranking metric at 10 and at n by name, users counting alike."""
    ones = np.ones(len(hits))
    return {
        f"{name}_at_{k}": PerUser(values, ones)
        for k in sorted({DEPTH, n})
        for name, values in at_depth(hits, n_relevant, k).items()
    }


def list_figures(
    audience: Audience, lists: Listed, popularity: npt.NDArray[np.int64]
) -> dict[str, PerUser]:
    """Return diversity and novelty of each list, as `list_metrics` defines them.

    `popularity` are the users who took each item in the known part, of `n_known_users`.
    """
    exposure = exposure_of(audience, lists)
    lengths = exposure.lengths
    diversity = np.zeros(len(lists))
    diversity[lengths >= 2] = list_metrics.category_entropies(
        exposure, audience.catalogue.categories, audience.catalogue.n_categories
    )
    n_users = audience.features.n_known_users
    share = np.where(popularity > 0, popularity / max(n_users, 1), 1 / (n_users + 1))
    bits = -np.log2(share)
    of_entries = np.where(lists >= 0, bits[lists], 0.0).sum(axis=1)
    return {
        "diversity": PerUser(diversity, (lengths >= 2).astype(np.float64)),
        "novelty_bits": PerUser(of_entries / np.maximum(lengths, 1), lengths.astype(np.float64)),
    }


def coverage_of(audience: Audience, lists: Listed, n_available: int) -> float:
    """Return the share of `n_available` items that stand in some list."""
    shown = exposure_of(audience, lists).counts > 0
    n_shown = int(np.count_nonzero(shown & audience.catalogue.available))
    return n_shown / n_available if n_available else 0.0


def exposure_of(audience: Audience, lists: Listed) -> Exposure:
    """Return the lists laid end to end."""
    shown = lists >= 0
    offsets = np.concatenate(([0], np.cumsum(shown.sum(axis=1))))
    return Exposure(lists[shown], offsets, len(audience.catalogue.ids))


def means_of(figures: Mapping[Name, PerUser], seed: int) -> dict[Name, Figure]:
    """Return the mean of each figure with its interval, by name."""
    values, weights = (
        np.column_stack([getattr(figure, side) for figure in figures.values()])
        for side in ("values", "weights")
    )
    return dict(zip(figures, intervals(values, weights, seed), strict=True))


def less(figure: PerUser, other: PerUser) -> PerUser:
    """Return the difference of a figure to another one of the same users."""
    return PerUser(figure.values - other.values, figure.weights)
