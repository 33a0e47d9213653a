"""Gates: limits that a generation must keep to go live, absolute and against the live one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from tasks.artifacts.records import CleanLog, Features
from tasks.evaluation.backtest import Quality
from tasks.evaluation.drift.compare import GATE_OF, Drift, Shift
from tasks.evaluation.measure import Metrics
from tasks.evaluation.settings import GateName, GateSettings

Outcome = Literal["pass", "warn", "block", "no comparison"]


@dataclass(frozen=True)
class Gate:
    """One gate tonight: its figure (none where there is nothing to compare with) and the limit.

    `limit` and `shown`, the figure, are in words with their unit.
    """

    name: str
    value: float | None
    limit: str
    outcome: Outcome
    says: str
    shown: str = "none"

    def words(self) -> str:
        """Return the gate as a sentence: subject, figure, limit, remedy."""
        remedy = REMEDIES.get(self.name)
        helps = f" ({remedy})" if remedy else ""
        return f"{self.says}: {self.shown}, expected {self.limit}{helps}"


@dataclass(frozen=True)
class Verdict:
    """All gates tonight, in a fixed order."""

    gates: tuple[Gate, ...]

    @property
    def blocked(self) -> bool:
        """True where a gate blocks the generation."""
        return any(gate.outcome == "block" for gate in self.gates)

    def reasons(self) -> str:
        """Return the gates that block as one line of sentences."""
        return "; ".join(gate.words() for gate in self.gates if gate.outcome == "block")

    def warnings(self) -> tuple[str, ...]:
        """Return the gates that warn, a sentence each."""
        return tuple(gate.words() for gate in self.gates if gate.outcome == "warn")

    def to_json(self) -> str:
        """Return the gates for the run's record and the report."""
        return json.dumps([asdict(gate) for gate in self.gates], indent=2)


#: gate -> what its figure is
GATES: Mapping[GateName, str] = {
    "filled_share": "Places of the lists that are filled, of those that could be",
    "full_share": "Full lists, of those that could be full",
    "own_share": "Users in the log who have a list of their own",
    "coverage": "Available items that some list shows, of as many as they could show",
    "unweighed_share": "Events whose type has no weight, and which teach nothing",
    "lists_ratio": "Number of lists, of the live generation's",
    "full_share_drop": "Fall of the share of full lists, from the live generation's",
    "coverage_ratio": "Catalogue coverage, of the live generation's",
    "diversity_ratio": "Category diversity, of the live generation's",
    "ndcg_ratio": "Offline quality of lists of days ago (NDCG@10), of the live generation's",
    "choice_ndcg_ratio": "Offline quality of the chosen blend (NDCG@10), of the live generation's",
    "over_popularity": "Offline quality of the chosen blend (NDCG@10 and a standard error), of "
    "recent popularity's",
    "jaccard": "Lists in common with the live generation (Jaccard)",
    "rank_biased_overlap": "Tops of lists in common with the live generation (rank-biased overlap)",
    "top_item_share": "Lists that show the most shown item",
    "quarantined_share": "Rows in quarantine",
    "events_ratio": "Events read, duplicates too, of the live generation's night",
    "event_mix_shift": "Shift of the mix of event types (total variation distance)",
    "feature_drift": "Drift of log and features from the nights before",
    "list_drift": "Drift of the lists from the nights before",
    "ndcg_trend": "Offline quality (NDCG@10 and two standard errors), of the median of the nights "
    "before",
}
#: gate -> what may help, where it is a setting rather than the log
REMEDIES: Mapping[str, str] = {
    "over_popularity": "the log's last days are unlike those before, or too few users judge: see "
    "choice.json, and raise NIGHTSHELF_CHOOSE__N_JUDGED",
    "filled_share": "few categories leave few places: raise NIGHTSHELF_TOPN__MAX_PER_CATEGORY, or "
    "lower NIGHTSHELF_TOPN__N",
    "full_share": "raise NIGHTSHELF_TOPN__MAX_PER_CATEGORY, or lower NIGHTSHELF_TOPN__N",
    "own_share": "name the types of event that people act by in [features.weights]",
    "unweighed_share": "name the types in [features.weights], with 0 if they are to teach nothing, "
    "or in events.idle",
}
_MIX = "events:"
#: Gates whose figure has their name.
_AS_MEASURED = (
    "filled_share",
    "own_share",
    "unweighed_share",
    "top_item_share",
    "quarantined_share",
)
#: The mean over fewer users moves by a fifth from night to night by itself.
_FEWEST_JUDGED = 200


def figures(
    log: CleanLog,
    features: Features,
    metrics: Metrics,
    quality: Quality | None,
    choice: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the figures of tonight's gates, which the next night compares with.

    `choice` are the figures of the blend's choice, if any was judged. `shortest_list`
    and `median_list` are items, for `nightshelf status`. `full_of_fillable` and `filled_share` are
    there where any list could be full, or is; `ndcg_at_10`, its `backtest_days` and `judged_users`
    where it was measured.
    """
    own = metrics.full_share + metrics.short_share
    judged = log.rows_read - log.n_after_as_of
    maybe = {"full_of_fillable": metrics.full_of_fillable, "filled_share": metrics.filled_share}
    return {
        "lists": metrics.n_lists,
        "shortest_list": metrics.shortest_list,
        "median_list": metrics.median_list,
        "full_share": metrics.full_share / own if own else 0.0,
        **{name: value for name, value in maybe.items() if value is not None},
        "own_share": metrics.n_lists / max(metrics.n_in_log, 1),
        "coverage": metrics.coverage,
        "coverage_of_possible": _of_possible(metrics),
        "unweighed_share": features.n_unweighed
        / max(features.n_unweighed + features.n_teaching, 1),
        "diversity": metrics.diversity,
        "top_item_share": metrics.top_item_share,
        "quarantined_share": log.n_quarantined / max(judged, 1),
        "events": log.n_events + log.n_duplicates,
        **_offline_quality(quality),
        **(choice or {}),
        **{f"{_MIX}{kind}": n for kind, n in log.event_types.items()},
    }


def judge(
    tonight: Mapping[str, float],
    live: Mapping[str, float],
    overlap: Mapping[str, float],
    drift: Drift,
    settings: GateSettings,
) -> Verdict:
    """Hold tonight's figures against the limits.

    `live` are the live generation's `figures`, `overlap` is `jaccard` and `rank_biased_overlap`
    with its lists; both are empty on the first night. `drift` is against the nights before.
    """
    values: dict[str, float | None] = {name: tonight.get(name) for name in _AS_MEASURED}
    values["full_share"] = tonight.get("full_of_fillable")
    values["coverage"] = tonight.get("coverage_of_possible")
    if "full_share" in live:
        values["full_share_drop"] = live["full_share"] - tonight["full_share"]
    for name in ("lists", "events", "coverage", "diversity"):
        values[f"{name}_ratio"] = tonight[name] / live[name] if live.get(name) else None
    values["ndcg_ratio"] = _ratio(tonight, live, "ndcg_at_10", "backtest_days", "judged_users")
    of_choice = ("choice_ndcg_at_10", "choice_days", "choice_users")
    values["choice_ndcg_ratio"] = _ratio(tonight, live, *of_choice)
    values["over_popularity"] = tonight.get("choice_over_popularity")
    values |= {name: overlap.get(name) for name in ("jaccard", "rank_biased_overlap")}
    values["event_mix_shift"] = _mix_shift(tonight, live)
    values |= drift_figures(drift)
    worst = _worst(drift)
    return Verdict(
        tuple(_gate(name, values.get(name), settings, worst.get(name)) for name in GATES)
    )


def drift_figures(drift: Drift) -> dict[str, float]:
    """Return the figures of the drift's gates, as far as there were nights to compare with."""
    found = {name: shift.ratio for name, shift in _worst(drift).items()}
    return found | ({} if drift.ndcg_trend is None else {"ndcg_trend": drift.ndcg_trend})


def _worst(drift: Drift) -> dict[str, Shift]:
    """Return the distribution that moved most, by the gate that judges it."""
    found = {gate: drift.worst(subject) for subject, gate in GATE_OF.items()}
    return {gate: shift for gate, shift in found.items() if shift}


def _gate(
    name: GateName, value: float | None, settings: GateSettings, shift: Shift | None = None
) -> Gate:
    """Judge a figure; of drift the sentence names the distribution that moved most, and how."""
    limits = list(_limits(name, settings))
    limit = " and ".join(f"at {word} {in_words(name, bound)}" for word, bound in limits)
    outcome: Outcome = "pass"
    if value is None:
        outcome = "no comparison"
    elif any(value < bound if word == "least" else value > bound for word, bound in limits):
        outcome = "warn" if name in settings.warn else "block"
    moved = f", most in {shift.says}" if shift else ""
    shown = "none" if value is None else in_words(name, value)
    return Gate(name, value, limit, outcome, GATES[name] + moved, shown)


def in_words(gate: str, value: float) -> str:
    """Return a gate's figure or limit with its unit.

    >>> in_words("jaccard", 0.8349), in_words("events_ratio", 2.0), in_words("list_drift", 1.5)
    ('83.5 %', '200 %', '1.5 times the usual')
    """
    if gate in GATE_OF.values():
        return f"{value:.3g} times the usual"
    return f"{round(100 * value, 0 if value >= 1 else 1 if value >= 0.01 else 2):g} %"


def _limits(name: str, settings: GateSettings) -> Iterator[tuple[str, float]]:
    """Yield ("least", bound) and ("most", bound), as far as the gate has them."""
    for ending, word in (("min", "least"), ("max", "most")):
        bound = getattr(settings, f"{name}_{ending}", None)
        if bound is not None:
            yield word, bound


def _of_possible(metrics: Metrics) -> float:
    """Return the coverage over the highest possible: few lists cannot show all items.

    An item stands in a list once, so the lists could show as many as they have places.
    """
    most = min(metrics.n_available, metrics.n_places)
    return metrics.coverage * metrics.n_available / most if most else 0.0


def _offline_quality(quality: Quality | None) -> dict[str, float]:
    if quality is None or not quality.n_users:
        return {}
    return {
        "ndcg_at_10": quality.lists["ndcg_at_10"],
        "backtest_days": quality.backtest_days,
        "judged_users": quality.n_users,
    }


def _ratio(
    tonight: Mapping[str, float], live: Mapping[str, float], ndcg: str, days: str, users: str
) -> float | None:
    """Return the ratio of NDCG@10, where enough users and equally many days judged both nights."""
    few = min(night.get(users, 0) for night in (tonight, live)) < _FEWEST_JUDGED
    if few or tonight[days] != live.get(days) or not live[ndcg]:
        return None
    return tonight[ndcg] / live[ndcg]


def _mix_shift(tonight: Mapping[str, float], live: Mapping[str, float]) -> float | None:
    """Return half the sum of the absolute differences of the shares of all event types, 0 to 1."""
    kinds = sorted(name for name in {*tonight, *live} if name.startswith(_MIX))
    now, before = ([figures.get(kind, 0.0) for kind in kinds] for figures in (tonight, live))
    if not sum(now) or not sum(before):
        return None
    shares = zip(now, before, strict=True)
    return sum(abs(a / sum(now) - b / sum(before)) for a, b in shares) / 2
