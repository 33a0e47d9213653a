"""The item-item graph as a `Model`."""

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.artifacts.scoring import Scoring
from tasks.models.base import Contributions, Histories, Interactions, Model, Reasons, in_order
from tasks.models.graph._jit.linked import linked_block
from tasks.models.graph.links import link, profiles_of, unit_of
from tasks.models.graph.settings import GraphSettings
from tasks.runs.run_folder import Progress, no_progress


class Graph(Model):
    """Items linked to those of the user's profile; what is not linked scores 0."""

    Settings: ClassVar[type[Any]] = GraphSettings
    settings: Any

    @staticmethod
    def linked_by(strengths: sp.csr_matrix, unit: float, settings: Any) -> sp.csr_matrix:
        """Return the links (items x items) by users' strengths, whose mean size is `unit`."""
        return link(strengths, unit, settings)

    @classmethod
    def fit(  # noqa: D102
        cls,
        data: Interactions,
        settings: Any,
        start: Model | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Self:
        del start
        unit = unit_of(data.strengths)
        links = cls.linked_by(data.strengths, unit, settings)
        profiles = profiles_of(data.recent, unit)
        progress(1, 1)
        users, items = (
            np.zeros((len(ids), 1), np.float32) for ids in (data.user_ids, data.item_ids)
        )
        facts = {"unit": unit}
        return cls(settings, data.user_ids, data.item_ids, users, items, profiles, links, facts, 1)

    def fold_in(self, histories: Histories) -> tuple[Factors, sp.csr_matrix]:  # noqa: D102
        profiles = profiles_of(histories.recent, self.facts["unit"])
        return np.zeros((profiles.shape[0], 1), np.float32), profiles

    @property
    def similarity(self) -> Scoring:  # noqa: D102
        itself = in_order(sp.identity(len(self.item_ids), np.float32, "csr"))
        return Scoring(self.items, self.items, itself, self.neighbours)

    def reasons(self, histories: Histories) -> Reasons:  # noqa: D102
        del histories  # the profiles are made of them
        links = Links(self.profiles, self.neighbours)
        return lambda first, listed, lengths: links.parts(first, listed, lengths)[1]

    def contributions(self, history: Histories, item: int) -> Contributions:  # noqa: D102
        profile = self.fold_in(history)[1]
        return Contributions(linked_parts(history, profile, self.neighbours, item))


class Links(NamedTuple):
    """Profiles of users and neighbours of items, to look up parts of scores."""

    profiles: sp.csr_matrix
    neighbours: sp.csr_matrix

    def parts(
        self, first: int, listed: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
        """Return the linked sums of listed items (users x n), and the profile item of most part.

        `listed` and `lengths` are of users first, first + 1, ...; the item is -1 where none adds.
        """
        total = np.zeros(listed.shape)
        because = np.full(listed.shape, -1, np.int32)
        linked_block(
            self.profiles.indptr[first : first + len(lengths) + 1],
            self.profiles.indices,
            self.profiles.data,
            self.neighbours.indptr,
            self.neighbours.indices,
            self.neighbours.data,
            listed,
            lengths,
            total,
            because,
        )
        return total, because


def linked_parts(
    history: Histories, profile: sp.csr_matrix, neighbours: sp.csr_matrix, item: int
) -> npt.NDArray[np.float64]:
    """Return the part of an item's linked sum that each entry of one user's history adds."""
    linked = neighbours[:, [item]].toarray().ravel().astype(np.float64)
    weight = profile.toarray().ravel().astype(np.float64)
    taken = history.strengths.indices
    return np.asarray(weight[taken] * linked[taken])
