"""Rules of the choice: the first, in a fixed order, within one standard error of the best.

A candidate is worth the mean, over the protocols, of its NDCG over the best candidate's. All
candidates are judged by the same users, so a difference's error is that of the users' paired
differences (Breiman and others, 1984, section 3.4.3, with pairs), protocols being strata.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

#: Figures of a candidate by user, by protocol.
Figures = Mapping[str, npt.NDArray[np.float64]]
C = TypeVar("C")

#: Standard errors by which a bucket's own weights must be ahead of the common ones: in five buckets
#: eleven others are tried each, and the best of so many is two errors ahead by chance.
_AHEAD = 3.0


def standard_error(figures: npt.NDArray[np.float64]) -> float:
    """Return the standard error of the mean of figures."""
    return float(figures.std() / np.sqrt(len(figures)))


@dataclass(frozen=True)
class Objective:
    """Worth of a candidate; `tops` are the best candidate's NDCG by protocol."""

    tops: Mapping[str, float]

    @classmethod
    def of(cls, judged: Iterable[Figures]) -> Self:
        """Return the objective of candidates; protocols without users have no say."""
        found = list(judged)
        named = {name for name, figures in found[0].items() if len(figures)}
        tops = {name: max(float(each[name].mean()) for each in found) for name in sorted(named)}
        return cls({name: top for name, top in tops.items() if top > 0})

    def worth(self, figures: Figures) -> float:
        """Return the mean of the figures over the best, 0 to about 1."""
        parts = [float(figures[name].mean()) / top for name, top in self._among(figures)]
        return float(np.mean(parts)) if parts else 0.0

    def behind(self, figures: Figures, best: Figures) -> float:
        """Return by how many standard errors of the paired difference one lies behind another.

        0 where they are equal; infinity where each user differs by the same.
        """
        mean, error = self.ahead(best, figures)
        if not mean:
            return 0.0
        return mean / error if error else float(np.copysign(np.inf, mean))

    def ahead(self, figures: Figures, others: Figures) -> tuple[float, float]:
        """Return how much more one is worth than another, and the difference's standard error."""
        found = [(figures[name] - others[name]) / top for name, top in self._among(figures)]
        mean = sum(float(each.mean()) for each in found)
        variance = sum(float(each.var()) / len(each) for each in found)
        n = max(len(found), 1)
        return mean / n, float(np.sqrt(variance)) / n

    def under(self, figures: Figures, least: Figures) -> bool:
        """Tell if figures lie under others by over their own standard error in any protocol."""
        return any(
            float(least[name].mean() - figures[name].mean()) > standard_error(figures[name])
            for name, _ in self._among(figures)
        )

    def _among(self, figures: Figures) -> list[tuple[str, float]]:
        return [(name, top) for name, top in self.tops.items() if len(figures[name])]


@dataclass(frozen=True)
class Rule:
    """The rule by an objective.

    No choice may lie under `least`, recent popularity, in any protocol; `order` has the default
    first.
    """

    objective: Objective
    least: Figures

    def best(self, judge: Callable[[C], Figures], order: Sequence[C], last: C | None) -> C:
        """Return `last` if it is within one standard error of the best, or the first that is."""
        judged = {each: judge(each) for each in order}
        worthy = [each for each in order if not self.objective.under(judged[each], self.least)]
        some = worthy or list(order)
        best = max(some, key=lambda each: self.objective.worth(judged[each]))
        near = [each for each in some if self.objective.behind(judged[each], judged[best]) <= 1]
        return last if last is not None and last in near else near[0]

    def first_or_by_worth(self, judge: Callable[[C], Figures], order: Sequence[C]) -> list[C]:
        """Return the first, then the others by worth: for candidates none of which is simpler."""
        worth = {each: self.objective.worth(judge(each)) for each in order[1:]}
        return [order[0], *sorted(worth, key=lambda each: -worth[each])]

    def own(
        self, judge: Callable[[C], Figures], order: Sequence[C], common: C, last: C | None
    ) -> C:
        """Return the choice of a bucket of users: the common one unless it lies under popularity.

        Or unless another is clearly ahead of it.
        """
        own, figures = self.best(judge, order, last), judge(common)
        ahead = self.objective.behind(figures, judge(own)) > _AHEAD
        return own if ahead or self.objective.under(figures, self.least) else common
