"""The drift step: tonight's distributions and offline quality against the nights before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import orjson

from tasks.evaluation.backtest import Quality
from tasks.evaluation.drift.distance import js_distance, psi_terms, shares
from tasks.evaluation.drift.distributions import (
    DISTRIBUTIONS,
    SUBJECTS,
    Distributions,
    Subject,
    load,
)
from tasks.evaluation.drift.histograms import Histogram, added
from tasks.evaluation.drift.trailing import trailing_nights
from tasks.evaluation.settings import EvaluateSettings, GateName
from tasks.runs.journal import step
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import SavedRun

_DRIFT = "drift.json"
#: The gate that judges the drift of each subject.
GATE_OF: Mapping[Subject, GateName] = {"features": "feature_drift", "lists": "list_drift"}
#: With fewer nights to compare with, the noise of one would count as drift.
FEWEST_NIGHTS = 3
#: The least index that is called usual: quiet nights of three logs stayed below it mostly.
LEAST_USUAL = 0.025
#: With less mass a histogram is too rough to compare.
_FEWEST = 100


@dataclass(frozen=True)
class Shift:
    """Drift of one distribution.

    - `psi`: population stability index, 0 up; `js`: Jensen-Shannon distance, 0 to 1.
    - `moved`: the bin that adds most to the index; `tonight`, `before`: its share of all, 0 to 1.
    - `past`: the index of each night before, where it had one, the oldest first. `usual`: the
      highest of them, of nights whose drift did not warn, at least `LEAST_USUAL`.
    """

    name: str
    psi: float
    js: float
    moved: str
    tonight: float
    before: float
    past: tuple[float, ...] = ()
    usual: float = LEAST_USUAL

    @property
    def ratio(self) -> float:
        """The index in multiples of the usual, 0 up."""
        return self.psi / self.usual

    @property
    def title(self) -> str:
        """The distribution in words: `events_a_user:view` is "events a user: view"."""
        return self.name.replace("_", " ").replace(":", ": ")

    @property
    def says(self) -> str:
        """The distribution, its index, and its bin that moved most, with the share of it.

        >>> Shift("reasons", 0.5, 0.2, "trending", 0.4, 0.01).says
        "reasons (PSI 0.500; share of 'trending' from 1.0 % to 40.0 %)"
        """
        shares = f"from {self.before:.1%} to {self.tonight:.1%}".replace("%", " %")
        return f"{self.title} (PSI {self.psi:.3f}; share of {self.moved!r} {shares})"


@dataclass(frozen=True)
class Drift:
    """Drift against the `nights` before, as generations, the oldest first.

    - `features`, `lists`: each distribution's; empty where too few nights have any.
    - `ndcg_median`: of the offline quality (NDCG@10) of those nights. `ndcg_trend`: tonight's plus
      two standard errors, over that median; none where fewer than three nights were judged by as
      many days.
    - `path`: all this as JSON.
    """

    path: Path
    nights: tuple[int, ...] = ()
    features: tuple[Shift, ...] = ()
    lists: tuple[Shift, ...] = ()
    ndcg_median: float | None = None
    ndcg_trend: float | None = None

    def worst(self, subject: Subject) -> Shift | None:
        """Return the distribution that moved most for what is usual; none without a comparison."""
        found = self.features if subject == "features" else self.lists
        return max(found, key=lambda shift: shift.ratio, default=None)


@step
def measure_drift(
    run: Run, histograms: Path, quality: Quality | None, settings: EvaluateSettings
) -> Drift:
    """Compare a night with the last that passed their gates; `drift.json` keeps the figures."""
    nights = trailing_nights(run, settings.drift_nights)
    middle, trend = ndcg_trend(quality, [night.manifest.metrics for night in nights])
    features, lists = (_shifts(subject, load(histograms), nights) for subject in SUBJECTS)
    generations = tuple(night.run.generation for night in nights)
    drift = Drift(run.path(_DRIFT), generations, features, lists, middle, trend)
    facts = {name: value for name, value in asdict(drift).items() if name != "path"}
    drift.path.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
    return drift


def compare(
    tonight: Mapping[str, Histogram], before: Sequence[Mapping[str, Histogram]]
) -> Iterator[Shift]:
    """Yield the drift of each distribution of tonight against all nights before, added up.

    One that fewer than three of them have, or that holds less than a hundred, is left out.
    """
    for name, histogram in tonight.items():
        earlier = [night[name] for night in before if name in night]
        pooled = added(earlier)
        least = min(sum(each.values()) for each in (histogram, pooled))
        if len(earlier) >= FEWEST_NIGHTS and least >= _FEWEST:
            yield _shift(name, histogram, pooled)


def ndcg_trend(
    quality: Quality | None, before: Sequence[Mapping[str, float]]
) -> tuple[float | None, float | None]:
    """Return the median NDCG@10 of the nights before, and tonight's upper bound over it.

    The bound is tonight's figure plus two standard errors. `before` are figures as manifests hold
    them; only nights judged by as many days count. Both are none without three such nights.
    """
    if quality is None or not quality.n_users:
        return None, None
    earlier = [
        night["ndcg_at_10"]
        for night in before
        if night.get("backtest_days") == quality.backtest_days
    ]
    middle = median(earlier) if len(earlier) >= FEWEST_NIGHTS else 0.0
    if not middle:
        return None, None
    return middle, (quality.lists["ndcg_at_10"] + 2 * quality.ndcg_error) / middle


def _shift(name: str, tonight: Histogram, before: Histogram) -> Shift:
    labels, now, then = shares(tonight, before)
    terms = psi_terms(now, then)
    most = int(terms.argmax())
    psi, js, now_share, then_share = (
        round(float(each), 6)
        for each in (terms.sum(), js_distance(now, then), now[most], then[most])
    )
    return Shift(name, psi, js, labels[most], now_share, then_share)


def _shifts(
    subject: Subject, tonight: Distributions | None, nights: Sequence[SavedRun]
) -> tuple[Shift, ...]:
    """Return each distribution's drift, beside that of the nights before."""
    before = [found[subject] for night in nights if (found := load(night.folder / DISTRIBUTIONS))]
    past = [_indices(night.folder / _DRIFT) for night in nights]
    warned = [night.manifest.gates.get(GATE_OF[subject]) == "warn" for night in nights]
    shifts = []
    for shift in compare(tonight[subject] if tonight else {}, before):
        usual = [
            found.get(shift.name, 0.0) for found, loud in zip(past, warned, strict=True) if not loud
        ]
        had = tuple(found[shift.name] for found in past if shift.name in found)
        shifts.append(replace(shift, past=had, usual=max([LEAST_USUAL, *usual])))
    return tuple(shifts)


def _indices(path: Path) -> dict[str, float]:
    """Return a night's index of each distribution; nothing where it was not measured."""
    try:
        found = orjson.loads(path.read_bytes())
        return {each["name"]: each["psi"] for subject in SUBJECTS for each in found[subject]}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return {}
