"""The turns of a choice, each over a small fixed set of candidates.

Weights under the first half-lives; half-lives under those weights, where the first that are not
behind stand and else the best; weights again; then each history bucket its own weights, where they
are clearly ahead; and strangers the half-life of the popular lists.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from tasks.choose.backtest import Backtest
from tasks.choose.candidates import POPULAR, WEIGHTS, Candidate, Spans, first_spans, near_spans
from tasks.choose.choice import Choice, Row, write_choice
from tasks.choose.price import beside, price_of_rules
from tasks.choose.rule import Figures, Objective, Rule, standard_error
from tasks.choose.settings import ChooseSettings
from tasks.choose.split import Splits
from tasks.models.blend.settings import Weights
from tasks.models.history import BUCKETS
from tasks.runs.run_folder import Progress, Run

#: Users of a bucket, by protocol.
Masks = Mapping[str, npt.NDArray[np.bool_]]
#: Fewest users of a bucket that gets its own weights.
_LEAST_OF_BUCKET = 100


class Turns:
    """The turns of a choice over one backtest; each candidate is judged once."""

    def __init__(
        self,
        backtest: Backtest,
        settings: ChooseSettings,
        last: Choice | None,
        progress: Progress,
    ) -> None:
        """Judge the candidates of the first turn, which set the objective."""
        self._backtest, self._settings, self._progress = backtest, settings, progress
        self._first = first_spans(settings)
        self._last = last if last and not last.held else None
        self._judged: dict[Candidate, Figures] = {}
        first = [Candidate(self._first, each) for each in WEIGHTS]
        popular = [Candidate(each, POPULAR) for each in self._near(self._first, "popular")]
        judged = [self.figures(each) for each in [*first, *popular]]
        self._objective = Objective.of(judged)
        self._popular = max(popular, key=lambda each: self._objective.worth(self.figures(each)))
        self._rule = Rule(self._objective, self.figures(self._popular))

    def choose(self, run: Run, splits: Splits) -> Choice:
        """Take all turns."""
        found = self._turn(Candidate(self._first, each) for each in WEIGHTS)
        for name in ("popular", "profile", "learning"):
            near = [Candidate(each, found.weights) for each in self._near(found.spans, name)]
            found = self._turn(self._rule.first_or_by_worth(self.figures, near))
        chosen = self._turn(Candidate(found.spans, each) for each in WEIGHTS)
        figures, popular = self.figures(chosen), self.figures(self._popular)
        ahead = {name: figures[name] - popular[name] for name in figures}
        last = self.figures(self._last.candidate) if self._last else {}
        choice = Choice(
            evidence=run.path("choice.json"),
            why=_why(chosen, figures, popular),
            spans=chosen.spans._asdict(),
            fallback_days=self._fallback_days(),
            weights=chosen.weights._asdict(),
            by_history=dict(self._own_weights(chosen)),
            held=False,
            changed=bool(self._last and self._last.candidate != chosen),
            before=self._last.candidate.facts if self._last else {},
            days=splits.days,
            n_candidates=len(self._judged),
            n_judged={name: len(each) for name, each in figures.items()},
            ndcg=_means(figures),
            ndcg_error=_errors(figures),
            popular_ndcg=_means(popular),
            ahead_error=_errors(ahead),
            last_ndcg=_means(last),
            last_error=_errors({name: figures[name] - each for name, each in last.items()}),
        )
        write_choice(
            choice,
            self._table(chosen),
            self._beside(choice),
            price_of_rules(self._backtest, choice),
        )
        return choice

    def figures(self, candidate: Candidate) -> Figures:
        """Judge a candidate, once."""
        key = candidate.canonical
        if key not in self._judged:
            self._judged[key] = self._backtest.ndcg(candidate)
            self._progress(len(self._judged), 2 * len(WEIGHTS) + len(Spans._fields))
        return self._judged[key]

    def _near(self, spans: Spans, name: str) -> list[Spans]:
        return near_spans(spans, name, self._settings)

    def _turn(self, candidates: Iterable[Candidate]) -> Candidate:
        order = list(candidates)
        last = self._last.candidate if self._last else None
        if last and last not in order and last.spans in {each.spans for each in order}:
            order.append(last)
        return self._rule.best(self.figures, order, last)

    def _own_weights(self, common: Candidate) -> Iterable[tuple[str, list[float]]]:
        """Yield the buckets that get weights of their own."""
        order = [Candidate(common.spans, each) for each in WEIGHTS]
        for number, name in enumerate(BUCKETS[1:], start=1):
            masks = self._masks(number)
            if sum(int(mask.sum()) for mask in masks.values()) < _LEAST_OF_BUCKET:
                continue

            def judge(each: Candidate, masks: Masks = masks) -> Figures:
                figures = self.figures(each)
                return {part: figures[part][mask] for part, mask in masks.items()}

            before = self._last.by_history.get(name) if self._last else None
            last = Candidate(common.spans, Weights(*before)) if before else None
            rule = Rule(self._objective, judge(self._popular))
            own = rule.own(judge, order, common, last)
            if own != common:
                yield name, list(own.weights)

    def _masks(self, bucket: int) -> Masks:
        """Return which of the users with a history are of a bucket, by protocol."""
        buckets = self._backtest.buckets
        known = {name: buckets[name][buckets[name] > 0] for name in self._backtest.protocols}
        return {name: each == bucket for name, each in known.items()}

    def _fallback_days(self) -> float:
        """Return the half-life of the popular lists, by users without a history."""
        spans = [each.popular for each in self._near(self._first, "popular")]
        judged: dict[float, Figures] = {
            each: {"by time": self._backtest.strangers_ndcg(each)} for each in spans
        }
        if len(judged[spans[0]]["by time"]) < _LEAST_OF_BUCKET:
            return self._popular.spans.popular
        rule = Rule(Objective.of(judged.values()), judged[spans[0]])
        last = self._last.fallback_days if self._last else None
        return rule.best(lambda each: judged[each], spans, last)

    def _beside(self, choice: Choice) -> list[Row]:
        """Return the choice beside recent popularity, by bucket and protocol."""
        rows: list[Row] = []
        for number, name in enumerate(BUCKETS[1:], start=1):
            weights = Weights(*choice.by_history.get(name, list(choice.candidate.weights)))
            figures = self.figures(Candidate(choice.candidate.spans, weights))
            popular = self.figures(self._popular)
            rows += [
                {"history": name, "protocol": part}
                | beside(figures[part][mask], popular[part][mask])
                for part, mask in self._masks(number).items()
                if mask.any()
            ]
        return rows

    def _table(self, chosen: Candidate) -> list[Row]:
        """Return every candidate with its figures, over all and by bucket, the best first."""
        best = self.figures(chosen)
        rows = [
            each.facts
            | {
                "worth": self._objective.worth(figures),
                "ndcg_at_10": _means(figures),
                "standard_errors_behind_the_choice": self._objective.behind(figures, best),
                "by_history": self._by_history(figures),
            }
            for each, figures in self._judged.items()
        ]
        return sorted(rows, key=lambda row: -row["worth"])

    def _by_history(self, figures: Figures) -> dict[str, dict[str, object]]:
        found = {}
        for number, name in enumerate(BUCKETS[1:], start=1):
            masks = self._masks(number)
            mine = {part: figures[part][mask] for part, mask in masks.items() if mask.any()}
            if mine:
                found[name] = {
                    "users": {part: len(each) for part, each in mine.items()},
                    "ndcg_at_10": _means(mine),
                    "ndcg_error": _errors(mine),
                }
        return found


def _means(figures: Figures) -> dict[str, float]:
    return {name: float(each.mean()) for name, each in figures.items()}


def _errors(figures: Figures) -> dict[str, float]:
    return {name: standard_error(each) for name, each in figures.items()}


def _why(chosen: Candidate, figures: Figures, popular: Figures) -> str:
    weights = ", ".join(f"{name} {each:g}" for name, each in chosen.weights._asdict().items())
    found = "; ".join(
        f"{name} {each.mean():.4f} for {len(each):,} users, recent popularity "
        f"{popular[name].mean():.4f}"
        for name, each in figures.items()
    )
    return f"{weights} is within one standard error of the best. NDCG@10 {found}."
