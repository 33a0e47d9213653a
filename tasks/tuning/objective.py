"""The objective of the night's own choice, over a window to tune on and a later one to judge by.

A window holds out the last days of its log, and the newest items of other users; it judges lists
by both, as the choice does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tasks.artifacts.records import CleanLog
from tasks.choose.backtest import Backtest
from tasks.choose.candidates import POPULAR, Candidate, Spans
from tasks.choose.choose import choose_blend
from tasks.choose.rule import Figures, Objective
from tasks.choose.split import Splits, splits_of
from tasks.errors import SettingsError
from tasks.models.blend.settings import BlendParts
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tasks.tuning.search_space import with_values


@dataclass(frozen=True)
class Window:
    """Held-out events that judge lists made without them, by `protocols`."""

    backtest: Backtest
    protocols: tuple[str, ...]

    @property
    def n_users(self) -> Mapping[str, int]:
        """Number of judged users who have a history, by protocol."""
        buckets = self.backtest.buckets
        return {name: int(np.count_nonzero(buckets[name] > 0)) for name in self.protocols}

    def judge(self, settings: Settings) -> Figures:
        """Return NDCG@10 of each judged user under the category rule, 0 to 1, by protocol.

        Weights are the same for all users. Raises `NothingToLearn` where no event before the window
        says anything for any item.
        """
        return self._figures(settings, _candidate(settings))

    def judge_popular(self, settings: Settings) -> Figures:
        """Return the same of recent popularity alone."""
        return self._figures(settings, _candidate(settings)._replace(weights=POPULAR))

    def _figures(self, settings: Settings, candidate: Candidate) -> Figures:
        figures = self.backtest.of(_parts(settings)).ndcg(candidate)
        return {name: figures[name] for name in self.protocols}


@dataclass(frozen=True)
class Windows:
    """The window to tune on, the later one to judge by, and the settings of a night between them.

    `in_force` are the settings with the half-lives and weights that such a night chose; `objective`
    is worth 1 for them on the earlier window, where recent popularity has the figures `popular`.
    """

    earlier: Window
    later: Window
    in_force: Settings
    objective: Objective
    popular: Figures

    def figure(self, settings: Settings) -> float:
        """Return what settings are worth on the earlier window.

        Where they lie under recent popularity by a protocol, which the night's choice never may,
        return their lowest share of it, below 1.
        """
        found = self.earlier.judge(settings)
        if not self.objective.under(found, self.popular):
            return self.objective.worth(found)
        popular = {name: float(each.mean()) for name, each in self.popular.items()}
        return min(float(found[name].mean()) / mean for name, mean in popular.items() if mean > 0)


def open_windows(run: Run, log: CleanLog, settings: Settings, days: int, n_users: int) -> Windows:
    """Divide a log: `days` up to `run.as_of` to judge by, and the `days` before those to tune on.

    Each window also holds out the newest item of others. It judges by `n_users` a protocol at most,
    and by no protocol that has too few of them for the night's choice. Nothing of the later is
    known to the earlier, nor to the choice. Raises `SettingsError` where nobody is left to judge.
    """
    terms = replace(settings.choose, days=(days,), n_judged=n_users, n_users=max(log.n_events, 1))
    later = splits_of(run, log, terms, settings.features)
    before = run.inside("earlier", later.run.as_of)
    earlier = splits_of(before, later.known, terms, settings.features)
    tests = [_backtest(each, settings) for each in (earlier, later)]
    judging = [set(each.protocols) if each.splits.by_protocol else set() for each in tests]
    protocols = tuple(sorted(set.intersection(*judging)))
    if not protocols:
        raise SettingsError(
            f"too few users took to anything new, in the {days} days to judge by and in those to "
            f"tune on, or as their newest item: {terms.enough} with a history are enough "
            "(choose.least_judged), and the days may be a quarter of the log; try other days"
        )
    choice = choose_blend(before, later.known, settings.choose, settings.recipe, None)
    chosen = {f"blend.{part}": weight for part, weight in choice.weights.items()}
    chosen |= {
        "features.half_life_days": choice.spans["learning"],
        "features.profile_half_life_days": choice.spans["profile"],
        "blend.half_life_days": choice.spans["popular"],
    }
    in_force = settings if choice.held else with_values(settings, chosen)
    first, last = (Window(each, protocols) for each in tests)
    objective = Objective.of([first.judge(in_force)])
    return Windows(first, last, in_force, objective, first.judge_popular(in_force))


def _backtest(splits: Splits, settings: Settings) -> Backtest:
    return Backtest(splits, settings.recipe, _parts(settings))


def _parts(settings: Settings) -> BlendParts:
    return BlendParts(settings.train, settings.ials, settings.blend, settings.slim)


def _candidate(settings: Settings) -> Candidate:
    features, blend = settings.features, settings.blend
    spans = Spans(features.half_life_days, features.profile_half_life_days, blend.half_life_days)
    return Candidate(spans, blend.weights)
