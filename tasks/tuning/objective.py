"""The objective: NDCG@10 of a model's lists on days after those that it learnt from."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from tasks.artifacts.factors import load_matrix
from tasks.artifacts.records import CleanLog
from tasks.artifacts.scoring import Scoring
from tasks.evaluation.backtest import DEPTH
from tasks.evaluation.judged_lists import Audience, audience_of, hits_of, model_lists, popular_lists
from tasks.evaluation.past_run import log_until
from tasks.evaluation.protocols import Split, by_time
from tasks.evaluation.ranking_metrics import ndcg
from tasks.features.build import build_features
from tasks.features.settings import FeatureSettings
from tasks.io.columns import ID
from tasks.io.parquet import read_column
from tasks.models.als.model import Als
from tasks.models.base import Interactions
from tasks.runs.run_folder import Run
from tasks.settings import Settings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """Days that judge lists made without them.

    Features are built once for each distinct `FeatureSettings`, in folders of their own.
    """

    split: Split
    _audiences: dict[float, Audience] = field(default_factory=dict)

    @property
    def n_users(self) -> int:
        """Number of judged users."""
        return len(self.split.user_ids)

    def judge(self, settings: Settings) -> Floats:
        """Return each judged user's NDCG@10 under the category rule, 0 to 1.

        Raises `NothingToLearn` where no event before the window says anything for any item.
        """
        audience = self.audience(settings.features)
        features = audience.features
        users, items = (read_column(path, ID) for path in (features.user_ids, features.item_ids))
        data = Interactions(users, items, load_matrix(features.interactions))
        model = Als.fit(data, settings.train)
        rule = replace(settings.topn.plain, n=DEPTH)
        lists = model_lists(audience, Scoring(model.users, model.items), rule)
        return ndcg(hits_of(audience, lists), audience.n_relevant, DEPTH)

    def judge_popular(self, settings: Settings) -> Floats:
        """Return the same of the popular list."""
        audience = self.audience(settings.features)
        lists = popular_lists(audience, replace(settings.topn.plain, n=DEPTH))
        return ndcg(hits_of(audience, lists), audience.n_relevant, DEPTH)

    def audience(self, weighing: FeatureSettings) -> Audience:
        """Return the judged users by features of this half-life."""
        half_life = weighing.half_life_days
        if half_life not in self._audiences:
            run = self.split.run.inside(f"half_life_{half_life:g}", self.split.run.as_of)
            features = build_features(run, self.split.known, weighing)
            self._audiences[half_life] = audience_of(self.split, features)
        return self._audiences[half_life]


def windows(
    run: Run, log: CleanLog, weighing: FeatureSettings, days: int, n_users: int
) -> tuple[Window, Window]:
    """Return the window to tune on, and the one after it to judge the result by.

    The later is the last `days` before `run.as_of`, the earlier the `days` before those; a window
    judges `n_users` at most. Nothing of the later is known to the earlier.
    """
    before = run.inside("earlier", run.as_of - timedelta(days=days))
    known = log_until(before, log)
    earlier = by_time(before, known, weighing, days, n_users)
    return Window(earlier), Window(by_time(run, log, weighing, days, n_users))


def standard_error(figures: Floats) -> float:
    """Return the standard error of a mean over users."""
    return float(figures.std() / np.sqrt(max(len(figures), 1)))
