"""The blend as a `Model`.

Every night trains all parts, whatever their weights: similar items and the next night's start come
from ALS. Each part is brought to the same scale, the mean of its users' best scores, in units of
ALS's; so weights mean the same on every log.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors
from tasks.artifacts.scoring import Scoring
from tasks.io.blas import one_blas_thread
from tasks.models.als.model import Als
from tasks.models.base import Contributions, Histories, Interactions, Model, Reasons, WarmSettings
from tasks.models.blend.reasons import reasons_of
from tasks.models.blend.settings import BlendParts, Weights
from tasks.models.graph.model import Graph
from tasks.models.ials.model import Ials
from tasks.models.popular.model import popularity_column
from tasks.models.slim.model import Slim
from tasks.runs.run_folder import Progress, no_progress

#: Users whose best scores give the scale of a part.
_SCALED_BY = 1_000
#: Of those, so many are scored at a time.
_BLOCK = 100


class Blend(Model):
    """A weighted sum of ALS, SLIM's item-item graph and recent popularity, weighted by user.

    `users` and `items` are ALS's factors, with 1 and the popularity for a last column; `profiles`
    and `neighbours` SLIM's. `scoring` has the weights in.
    """

    Settings = BlendParts
    settings: BlendParts

    @classmethod
    def fit(  # noqa: D102
        cls,
        data: Interactions,
        settings: BlendParts,
        start: Model | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Self:
        before = start.als if isinstance(start, Blend) else start
        als, graph = fit_parts(data, settings, before, progress)
        return cls.of_parts(als, graph, popularity_column(data.popularity), settings)

    @classmethod
    def of_trained(cls, data: Interactions, als: Als | Ials, settings: BlendParts) -> Self:
        """Link the items, and blend with factors that are trained."""
        with one_blas_thread():  # as beside training
            graph = Slim.fit(data, settings.slim)
        return cls.of_parts(als, graph, popularity_column(data.popularity), settings)

    @classmethod
    def of_parts(
        cls,
        als: Als | Ials,
        graph: Graph,
        popular: Factors,
        settings: BlendParts,
        als_top: float | None = None,
    ) -> Self:
        """Blend parts of the same users and items; `popular` is (items x 1).

        `als_top` is `top_of(als)`, where it is at hand.
        """
        items = np.hstack([als.items, popular])
        scales = {"als_top": als_top or top_of(als), "graph_top": top_of(graph)}
        facts = {**als.facts, **graph.facts, **scales}
        return cls(
            settings,
            als.user_ids,
            als.item_ids,
            _with_ones(als.users),
            np.ascontiguousarray(items),
            graph.profiles,
            graph.neighbours,
            facts,
            als.n_iterations,
        )

    def weighed(self, weights: Weights) -> Self:
        """Return this blend with other weights, the same for all users."""
        blend = replace(self.settings.blend, **weights._asdict(), by_history={})
        return replace(self, settings=replace(self.settings, blend=blend))

    @classmethod
    def warm_start(cls, settings: BlendParts) -> tuple[WarmSettings, Mapping[str, Any]] | None:  # noqa: D102
        of_factors = _factors_of(settings)
        warm = of_factors[0].warm_start(of_factors[1])
        return warm and (
            warm[0],
            {of_factors[2]: warm[1], "blend": {"factors": settings.blend.factors}},
        )

    @property
    def als(self) -> Als | Ials:
        """The part that is ALS."""
        kind, settings, _ = _factors_of(self.settings)
        users, items = (np.ascontiguousarray(part[:, :-1]) for part in (self.users, self.items))
        links = self.profiles[:, :0], self.neighbours[:0, :0]
        ids = self.user_ids, self.item_ids
        made: Als | Ials = kind(settings, *ids, users, items, *links, self.facts)
        return made

    @property
    def graph(self) -> Graph:
        """The part that is the graph."""
        dense = self.users[:, :1] * 0, self.items[:, :1] * 0
        ids, links = (self.user_ids, self.item_ids), (self.profiles, self.neighbours)
        return Slim(self.settings.slim, *ids, *dense, *links, self.facts)

    def fold_in(self, histories: Histories) -> tuple[Factors, sp.csr_matrix]:  # noqa: D102
        users = self.als.fold_in(histories)[0]
        return _with_ones(users), self.graph.fold_in(histories)[1]

    @property
    def scoring(self) -> Scoring:
        """The scores of all items for all users, each part by its user's weight."""
        weights = self._weights(self.profiles)
        users = self.users * np.repeat(weights[:, [0, 2]], [self.users.shape[1] - 1, 1], axis=1)
        profiles = sp.csr_matrix(self.profiles)
        spans = np.diff(profiles.indptr)
        scaled = profiles.data * np.repeat(weights[:, 1], spans)
        scoring = Scoring(users.astype(np.float32), self.items)
        if not weights[:, 1].any():
            return scoring
        linked = sp.csr_matrix(
            (scaled.astype(np.float32), profiles.indices, profiles.indptr), profiles.shape
        )
        return Scoring(scoring.users, self.items, linked, self.neighbours)

    @property
    def likeness(self) -> Factors:  # noqa: D102
        return np.ascontiguousarray(self.items[:, :-1])

    def reasons(self, histories: Histories) -> Reasons:  # noqa: D102
        return reasons_of(self.scoring, self.als.reasons(histories))

    def contributions(self, history: Histories, item: int) -> Contributions:  # noqa: D102
        profile = self.graph.fold_in(history)[1]
        als, graph, popular = self._weights(profile)[0]
        points = als * self.als.contributions(history, item).history
        points += graph * self.graph.contributions(history, item).history
        return Contributions(points, float(popular * self.items[item, -1]))

    def _weights(self, profiles: sp.csr_matrix) -> npt.NDArray[np.float64]:
        """Return what each user's scores of the parts are multiplied by (users x 3)."""
        to_als = np.array(
            [1.0, self.facts["als_top"] / self.facts["graph_top"], self.facts["als_top"]]
        )
        weights = self.settings.blend.of_users(np.diff(profiles.indptr)) * to_als
        return np.asarray(weights)


def fit_parts(
    data: Interactions,
    settings: BlendParts,
    before: Model | None = None,
    progress: Progress = no_progress,
) -> tuple[Als | Ials, Graph]:
    """Train the part that is ALS, and link the items beside it: each leaves a core idle at times.

    BLAS is held around both, since its limit is of the process: the first to end would lift it.
    """
    kind, own, _ = _factors_of(settings)
    with one_blas_thread(), ThreadPoolExecutor(1) as pool:
        linking = pool.submit(Slim.fit, data, settings.slim)
        als: Als | Ials = kind.fit(data, own, before, progress=progress)
        return als, linking.result()


def _factors_of(settings: BlendParts) -> tuple[type[Any], Any, str]:
    """Return the class of the part that is ALS, its settings and their name."""
    if settings.blend.factors == "als":
        return Als, settings.train, "train"
    return Ials, settings.ials, "ials"


def _with_ones(users: Factors) -> Factors:
    return np.hstack([users, np.ones((len(users), 1), np.float32)])


def top_of(model: Model) -> float:
    """Return the mean of some users' best scores; 1 where it is not positive."""
    n_users = len(model.user_ids)
    some = model.of(np.arange(0, n_users, -(-n_users // _SCALED_BY) or 1)).scoring
    best = np.zeros(len(some.users))
    if some.users.any() and len(model.item_ids):
        blocks = np.array_split(some.users, -(-len(best) // _BLOCK))
        best += np.concatenate([(block @ some.items.T).max(axis=1) for block in blocks])
    if some.profiles is not None:
        best += (some.profiles @ some.neighbours).max(axis=1).toarray().ravel()
    top = float(best.mean()) if len(best) else 0.0
    return top if top > 0 else 1.0
