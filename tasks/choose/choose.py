"""The step that chooses tonight's blend.

Candidates learn from the log up to a cut and are judged by what users took to afterwards, so none
sees a day that judges it. In turns, each a small fixed set: weights under the first half-lives;
half-lives under those weights; weights again; then each history bucket its own weights, where they
are clearly ahead; and strangers the half-life of the popular lists.
"""

import json
import shutil
from collections.abc import Collection, Iterable
from dataclasses import asdict, fields

import numpy as np
import orjson

from tasks.artifacts.records import CleanLog
from tasks.choose.backtest import Backtest, Floats
from tasks.choose.candidates import WEIGHTS, Candidate, all_spans, first_spans
from tasks.choose.choice import Choice
from tasks.choose.rule import behind, own_choice, simplest_of_best
from tasks.choose.settings import ChooseSettings
from tasks.choose.split import widest_split
from tasks.models.blend.settings import BlendParts, Weights
from tasks.models.history import BUCKETS
from tasks.pipeline import Recipe
from tasks.runs.journal import computed
from tasks.runs.run_folder import Progress, Run, no_progress
from tasks.runs.saved_run import earlier_runs

#: Fewest users of a bucket that gets its own weights.
_LEAST_OF_BUCKET = 100


@computed
def choose_blend(
    run: Run,
    log: CleanLog,
    settings: ChooseSettings,
    recipe: Recipe,
    last: Choice | None,
    *,
    progress: Progress = no_progress,
) -> Choice:
    """Choose half-lives and weights by a backtest; hold the settings' where none can be made.

    `last` is the night before's choice, which stands if it is within the noise of the best.
    """
    parts = next((each for each in recipe.models.values() if isinstance(each, BlendParts)), None)
    if settings.hold or parts is None:
        return _held(run, recipe, "choose.hold is set" if settings.hold else "no model is a blend")
    past = run.inside("choose", run.as_of)
    split, days = widest_split(past, log, settings, recipe.features)
    if split is None:
        return _held(run, recipe, "too few users took to anything new in the last days of the log")
    turns = Turns(Backtest(split, recipe, parts), settings, last, progress)
    choice = turns.choose(run, days)
    for folder in (each for each in past.folder.iterdir() if each.is_dir()):
        shutil.rmtree(folder)
    return choice


class Turns:
    """The turns of a choice over one backtest; each candidate is judged once."""

    def __init__(
        self,
        backtest: Backtest,
        settings: ChooseSettings,
        last: Choice | None,
        progress: Progress,
    ) -> None:
        """Start without any figures."""
        self._backtest, self._settings, self._progress = backtest, settings, progress
        self._last = last if last and not last.held else None
        self._judged: dict[Candidate, Floats] = {}

    def choose(self, run: Run, days: int) -> Choice:
        """Take all turns."""
        weighed = self._turn(Candidate(first_spans(self._settings), each) for each in WEIGHTS)
        spanned = self._turn(Candidate(each, weighed.weights) for each in all_spans(self._settings))
        chosen = self._turn(Candidate(spanned.spans, each) for each in WEIGHTS)
        figures, popular = self.figures(chosen), self.figures(_popular(chosen))
        evidence = run.path("choice.json")
        own = dict(self._own_weights(chosen))
        choice = Choice(
            evidence=evidence,
            why=_why(chosen, figures, popular),
            spans=chosen.spans._asdict(),
            fallback_days=self._fallback_days(),
            weights=chosen.weights._asdict(),
            by_history=own,
            held=False,
            changed=bool(self._last and self._last.candidate != chosen),
            protocol=self._settings.protocol,
            days=days,
            n_judged=len(figures),
            n_candidates=len(self._judged),
            ndcg=float(figures.mean()),
            ndcg_error=_error(figures),
            popular_ndcg=float(popular.mean()),
            ahead_error=_error(figures - popular),
        )
        facts = asdict(choice) | {"evidence": None, "candidates": self._table(chosen)}
        evidence.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
        return choice

    def figures(self, candidate: Candidate) -> Floats:
        """Judge a candidate, once."""
        key = candidate.canonical
        if key not in self._judged:
            self._judged[key] = self._backtest.ndcg(candidate)
            self._progress(len(self._judged), 2 * len(WEIGHTS) + len(all_spans(self._settings)))
        return self._judged[key]

    def _turn(self, candidates: Iterable[Candidate]) -> Candidate:
        order = list(candidates)
        last = self._last.candidate if self._last else None
        if last and last not in order and last.spans in {each.spans for each in order}:
            order.append(last)
        judged = {each: self.figures(each) for each in order}
        return simplest_of_best(judged, order, last)

    def _own_weights(self, common: Candidate) -> Iterable[tuple[str, list[float]]]:
        """Yield the buckets that get weights of their own."""
        buckets = self._backtest.buckets
        of_known = buckets[buckets > 0]
        order = [Candidate(common.spans, each) for each in WEIGHTS]
        for number, name in enumerate(BUCKETS):
            mine = of_known == number
            if np.count_nonzero(mine) < _LEAST_OF_BUCKET:
                continue
            judged = {each: self.figures(each)[mine] for each in {*order, common}}
            before = self._last.by_history.get(name) if self._last else None
            last = Candidate(common.spans, Weights(*before)) if before else None
            own = own_choice(judged, order, common, last)
            if own != common:
                yield name, list(own.weights)

    def _fallback_days(self) -> float:
        """Return the half-life of the popular lists, by users without a history."""
        middle = first_spans(self._settings).popular
        spans = sorted(
            self._settings.popular_half_lives_days, key=lambda each: (each != middle, each)
        )
        judged = {each: self._backtest.strangers_ndcg(each) for each in spans}
        if len(judged[middle]) < _LEAST_OF_BUCKET:
            return middle
        last = self._last.fallback_days if self._last else None
        return simplest_of_best(judged, spans, last)

    def _table(self, chosen: Candidate) -> list[dict[str, object]]:
        """Return every candidate with its figures, over all and by bucket, the best first."""
        of_known = self._backtest.buckets[self._backtest.buckets > 0]
        best = self.figures(chosen)
        rows = [
            each.facts
            | {
                "ndcg_at_10": float(figures.mean()),
                "standard_errors_behind_the_choice": behind(figures, best),
                "by_history": {
                    name: {"users": int(mine.sum()), "ndcg_at_10": float(figures[mine].mean())}
                    for number, name in enumerate(BUCKETS)
                    if (mine := of_known == number).any()
                },
            }
            for each, figures in self._judged.items()
        ]
        return sorted(rows, key=lambda row: -row["ndcg_at_10"])


def last_choice(run: Run, bad: Collection[int] = frozenset()) -> Choice | None:
    """Return the choice of the night before, the newest that passed its gates; none without one."""
    for saved in earlier_runs(run):
        path = saved.folder / "choice.json"
        if saved.passed and saved.run.generation not in bad and path.is_file():
            facts = json.loads(path.read_bytes())
            known = {each.name for each in fields(Choice)}
            return Choice(**{n: v for n, v in facts.items() if n in known} | {"evidence": path})
    return None


def _held(run: Run, recipe: Recipe, why: str) -> Choice:
    blend = next((e.blend for e in recipe.models.values() if isinstance(e, BlendParts)), None)
    choice = Choice(
        evidence=run.path("choice.json"),
        why=f"The settings are held: {why}.",
        spans={
            "learning": recipe.features.half_life_days,
            "profile": recipe.features.profile_half_life_days,
            "popular": recipe.popular_half_life_days,
        },
        fallback_days=recipe.popularity.half_life_days,
        weights=blend.weights._asdict() if blend else {},
    )
    facts = asdict(choice) | {"evidence": None, "candidates": []}
    choice.evidence.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
    return choice


def _popular(candidate: Candidate) -> Candidate:
    return Candidate(candidate.spans, Weights(0.0, 0.0, 1.0))


def _error(figures: Floats) -> float:
    return float(figures.std() / np.sqrt(len(figures)))


def _why(chosen: Candidate, figures: Floats, popular: Floats) -> str:
    weights = ", ".join(f"{name} {each:g}" for name, each in chosen.weights._asdict().items())
    return (
        f"{weights} is the simplest within one standard error of the best: NDCG@10 "
        f"{figures.mean():.4f} for {len(figures):,} users, recent popularity {popular.mean():.4f}."
    )
