"""Measure and judge the lists of models beside the default, before any of them is published.

They are held against the gates of lists, and against the same model's live lists where there are
any. A model that a gate blocks is left out: it does not take the night down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from redis import Redis

from nightshelf.admin import generations
from nightshelf.contract.values import Manifest
from tasks.artifacts.records import Made
from tasks.evaluation.drift.compare import Drift
from tasks.evaluation.gate_step import overlap_with
from tasks.evaluation.gates import Verdict, figures, judge
from tasks.evaluation.measure import Metrics, measure
from tasks.evaluation.settings import GateName, GateSettings
from tasks.recommend.settings import TopNSettings
from tasks.runs.journal import step
from tasks.runs.run_folder import Run

#: Gates of lists; the others judge the log, which all models share.
LIST_GATES: tuple[GateName, ...] = (
    "filled_share",
    "full_share",
    "own_share",
    "coverage",
    "lists_ratio",
    "full_share_drop",
    "coverage_ratio",
    "diversity_ratio",
    "jaccard",
    "rank_biased_overlap",
    "top_item_share",
)
#: Figures that the next night compares with.
_COMPARED = ("lists", "full_share", "coverage", "diversity")


@dataclass(frozen=True)
class JudgedModel:
    """Figures of a model's lists, and their gates."""

    name: str
    metrics: Metrics
    verdict: Verdict

    @property
    def fault(self) -> str:
        """The gates that block, or the rules that are broken; empty where there is neither."""
        own = self.metrics
        n_broken = own.n_seen + own.n_unavailable + own.n_breaches + (own.n_over_cap or 0)
        return self.verdict.reasons() or (f"{n_broken:,} places break a rule" if n_broken else "")


@dataclass(frozen=True)
class FurtherModels:
    """Models beside the default: those judged, and the reasons of those left out, by name."""

    judged: tuple[JudgedModel, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        """Figures for the manifest, as `als:coverage`; none where there is no further model."""
        found = {
            f"{each.name}:{figure}": value
            for each in self.judged
            for figure, value in _compared(each.metrics).items()
        }
        if self.judged or self.left_out:
            found["models_left_out"] = len(self.left_out)
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """Models left out, and gates that warn, a sentence each."""
        lost = (
            f"model {name} is left out tonight, and the default is served for it: {why}"
            for name, why in self.left_out.items()
        )
        warned = (
            f"model {each.name}: {said}" for each in self.judged for said in each.verdict.warnings()
        )
        return (*lost, *warned)


@step
def judge_further(
    run: Run, client: Redis, made: Made, listing: TopNSettings, settings: GateSettings
) -> FurtherModels:
    """Judge each further model that was made; those that failed before are left out already."""
    live = generations.current(client, run.namespace)
    judged, left_out = [], dict(made.left_out)
    for name in made.further:
        found = _judged(run, client, live, made.of(name), listing, settings)
        if found.fault:
            left_out[name] = found.fault
        else:
            judged.append(found)
    return FurtherModels(tuple(judged), left_out)


def _judged(
    run: Run,
    client: Redis,
    live: Manifest | None,
    made: Made,
    listing: TopNSettings,
    settings: GateSettings,
) -> JudgedModel:
    """Measure one model's lists in a folder of its own, and hold them against the gates."""
    name = made.default
    metrics = measure(run.inside(f"further/{name}", run.as_of), made, listing)
    tonight = figures(made.log, made.features, metrics, None)
    before: dict[str, float] = {}
    overlap: dict[str, float] = {}
    if live is not None and name in live.models:
        own = f"{name}:" if name != live.default_model else ""
        before = {each: value for each in _COMPARED if (value := live.metrics.get(own + each))}
        overlap = overlap_with(live, run, client, made.own.path, name)
    verdict = judge(tonight, before, overlap, Drift(run.path("drift.json")), settings)
    own_gates = tuple(gate for gate in verdict.gates if gate.name in LIST_GATES)
    return JudgedModel(name, metrics, Verdict(own_gates))


def _compared(metrics: Metrics) -> dict[str, float]:
    own = metrics.full_share + metrics.short_share
    return {
        "lists": metrics.n_lists,
        "full_share": metrics.full_share / own if own else 0.0,
        "coverage": metrics.coverage,
        "diversity": metrics.diversity,
    }
