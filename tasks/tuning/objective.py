"""The objective: NDCG@10 of a blend's lists on days after those that it learnt from."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from tasks.artifacts.records import CleanLog
from tasks.choose.backtest import Backtest, Floats
from tasks.choose.candidates import Candidate, Spans
from tasks.choose.choose import choose_blend
from tasks.choose.split import Splits
from tasks.errors import SettingsError
from tasks.evaluation.past_run import log_until
from tasks.evaluation.protocols import by_time
from tasks.models.blend.settings import BlendParts, Weights
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tasks.tuning.search_space import with_values

#: The protocol of both windows.
_BY_TIME = "by time"


@dataclass(frozen=True)
class Window:
    """Days that judge lists made without them, by the night's own backtest (`tasks/choose`)."""

    backtest: Backtest

    @property
    def n_users(self) -> int:
        """Number of judged users who have a history."""
        return int(np.count_nonzero(self.backtest.buckets[_BY_TIME] > 0))

    def judge(self, settings: Settings) -> Floats:
        """Return NDCG@10 of each judged user under the category rule, 0 to 1.

        Weights are the same for all users. Raises `NothingToLearn` where no event before the window
        says anything for any item.
        """
        return self.backtest.of(_parts(settings)).ndcg(_candidate(settings))[_BY_TIME]

    def judge_popular(self, settings: Settings) -> Floats:
        """Return the same of recent popularity alone."""
        popular = _candidate(settings)._replace(weights=Weights(0.0, 0.0, 1.0))
        return self.backtest.of(_parts(settings)).ndcg(popular)[_BY_TIME]


@dataclass(frozen=True)
class Windows:
    """The window to tune on, the later one to judge by, and the settings of a night between them.

    `in_force` are the settings with the half-lives and weights that such a night chose.
    """

    earlier: Window
    later: Window
    in_force: Settings


def open_windows(run: Run, log: CleanLog, settings: Settings, days: int, n_users: int) -> Windows:
    """Divide a log: `days` up to `run.as_of` to judge by, and the `days` before those to tune on.

    A window judges `n_users` at most. Nothing of the later is known to the earlier, nor to the
    choice. Raises `SettingsError` where a window has nobody to judge by.
    """
    before = run.inside("earlier", run.as_of - timedelta(days=days))
    known = log_until(before, log)
    splits = [
        by_time(at, part, settings.features, days, n_users)
        for at, part in ((before, known), (run, log))
    ]
    for name, split in zip(("to tune on", "to judge the result by"), splits, strict=True):
        if not len(split.user_ids):
            raise SettingsError(
                f"nobody took to anything new in the {days} days {name}: the log must reach over "
                f"{2 * days} days back, with events of positive weight; try other days"
            )
    earlier, later = (
        Window(
            Backtest(
                Splits(each.run, each.known, {_BY_TIME: each}, days),
                settings.recipe,
                _parts(settings),
            )
        )
        for each in splits
    )
    choice = choose_blend(before, known, settings.choose, settings.recipe, None)
    chosen = {f"blend.{part}": weight for part, weight in choice.weights.items()}
    chosen |= {
        "features.half_life_days": choice.spans["learning"],
        "features.profile_half_life_days": choice.spans["profile"],
        "blend.half_life_days": choice.spans["popular"],
    }
    return Windows(earlier, later, settings if choice.held else with_values(settings, chosen))


def standard_error(figures: Floats) -> float:
    """Return the standard error of a mean over users."""
    return float(figures.std() / np.sqrt(max(len(figures), 1)))


def _parts(settings: Settings) -> BlendParts:
    return BlendParts(settings.train, settings.ials, settings.blend, settings.slim)


def _candidate(settings: Settings) -> Candidate:
    features, blend = settings.features, settings.blend
    spans = Spans(features.half_life_days, features.profile_half_life_days, blend.half_life_days)
    return Candidate(spans, blend.weights)
