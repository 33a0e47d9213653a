"""Rules of the watch, as data: a figure each, with its direction, thresholds and dwell time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ConfigDict, FiniteFloat, NonNegativeFloat, NonNegativeInt

from nightshelf.text import age_text

#: Removes a threshold.
OFF = "off"
Threshold = FiniteFloat | Literal["off"] | None
_HOUR_S = 3600.0


@dataclass(frozen=True)
class Rule:
    """A rule: its figure is bad below its thresholds (`below`), or above them.

    - `unit`: of figure and thresholds: `%` (a share from 0 to 1), `s`, `ratio`, `number`, or `fact`
      (1: it is so).
    - `warning`, `critical`: thresholds; `None`: the rule has no such level.
    - `for_s`: dwell time: how long the figure must be bad before an incident opens.
    - `min_sample`: events or requests that the figure needs, else it is unknown.
    - `noise`: difference from the trailing median that is always usual, in the figure's unit.
    - `advice`: what to do first. `runbook`: page and section of the documentation.
    """

    name: str
    title: str
    unit: str
    below: bool
    warning: float | None
    critical: float | None
    for_s: float
    advice: str
    runbook: str
    min_sample: int = 0
    noise: float = 0.0
    on: bool = True

    def level(self, value: float) -> str:
        """Return the level of a value: ok, warning or critical."""
        for level, limit in (("critical", self.critical), ("warning", self.warning)):
            if limit is not None and (value < limit if self.below else value > limit):
                return level
        return "ok"

    def limit(self, level: str) -> float | None:
        """Return the threshold that a level has crossed; of ok the first that it could cross."""
        if level == "critical" or self.warning is None:
            return self.critical
        return self.warning

    def text(self, value: float) -> str:
        """Format a value in the figure's unit."""
        if self.unit == "%":
            return f"{100 * value:.3g} %"
        if self.unit == "s":
            return f"{1000 * value:.3g} ms" if abs(value) < 1 else _duration(value)
        return f"{value:,.3g}"


def _duration(value: float) -> str:
    return f"-{age_text(-value)}" if value < 0 else age_text(value)


@dataclass(frozen=True)
class RuleChange:
    """A change of a rule in the settings; a field that is not given stays as it is.

    - `on`: false switches the rule off.
    - `warning`, `critical`: thresholds; "off" removes one.
    - `for_s`: dwell time before an incident opens.
    - `min_sample`: events or requests below which the figure is unknown.
    - `runbook`: page and section, or an address.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    on: bool | None = None
    warning: Threshold = None
    critical: Threshold = None
    for_s: NonNegativeFloat | None = None
    min_sample: NonNegativeInt | None = None
    runbook: str | None = None

    def applied(self, rule: Rule) -> Rule:
        """Return a rule with this change; `ValueError` where its thresholds are in wrong order."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        fields: dict[str, Any] = {n: None if value == OFF else value for n, value in given.items()}
        changed = replace(rule, **fields)
        warning, critical = changed.warning, changed.critical
        if warning is None and critical is None:
            raise ValueError(f"{rule.name} has no threshold left; switch it off with on = false")
        if warning is not None and critical is not None:
            ordered = critical <= warning if rule.below else critical >= warning
            if not ordered:
                side = "below" if rule.below else "above"
                raise ValueError(
                    f"{rule.name}: critical ({critical:g}) must not lie on the good side of "
                    f"warning ({warning:g}), as the figure is bad {side} them"
                )
        return changed


def changed_rules(changes: Mapping[str, RuleChange]) -> dict[str, Rule]:
    """Return all rules by name, changed as told; `ValueError` for a name that is no rule's."""
    for name in changes:
        if name not in RULES:
            raise ValueError(f"{name} is no rule; the rules are {', '.join(RULES)}")
    return {
        name: changes[name].applied(rule) if name in changes else rule
        for name, rule in RULES.items()
    }


_RUNBOOK, _NIGHT = "docs/runbook.md", "docs/how-to/when-a-night-fails.md"
#: Dwell times: two passes five minutes apart, with room for one that starts early; of noisy ones.
_TWO_PASSES_S, _NOISY_S = 240.0, 1800.0

_ALL = (
    Rule(
        *("redis", "Redis not reachable", "fact", False, None, 0.0, _TWO_PASSES_S),
        advice="See whether Redis runs and takes the watch's login; readers have their caches.",
        runbook=f"{_RUNBOOK}#redis-fails",
    ),
    Rule(
        *("pointer", "Live generation missing", "fact", False, None, 0.0, _TWO_PASSES_S),
        advice="Redis lost its data, or the key was deleted: republish the last good run.",
        runbook=f"{_RUNBOOK}#the-pointer-is-missing",
    ),
    Rule(
        *("generation_age", "Age of the live generation", "s", False),
        *(26 * _HOUR_S, 48 * _HOUR_S, _TWO_PASSES_S),
        advice="Find the last run of the night in Prefect, and start it again.",
        runbook=f"{_RUNBOOK}#the-generation-is-old",
    ),
    Rule(
        *("keys_expire", "Life of the keys beyond the next night", "s", True),
        *(12 * _HOUR_S, 0.0, _TWO_PASSES_S),
        advice="Give the live generation its full time again: nightshelf extend.",
        runbook=f"{_RUNBOOK}#keys-are-about-to-expire",
    ),
    Rule(
        *("last_night", "Night blocked or failed", "fact", False, 0.0, None, _TWO_PASSES_S),
        advice="Read the night's report or its last message in Prefect; readers are served.",
        runbook=f"{_NIGHT}#when-a-night-fails",
    ),
    Rule(
        *("models_left_out", "Models left out", "number", False, 0.0, None, _TWO_PASSES_S),
        advice="Read the reason in the report; the variant's users get the default.",
        runbook=f"{_RUNBOOK}#a-model-was-left-out",
    ),
    Rule(
        *("doctor", "Checks of the server that fail", "number", False, 0.0, None, _TWO_PASSES_S),
        advice="Run nightshelf doctor: each finding has its remedy.",
        runbook=f"{_RUNBOOK}#doctor-finds-faults",
    ),
    Rule(
        *("coverage", "Catalogue coverage", "%", True, 0.50, 0.40, _TWO_PASSES_S),
        advice="Compare the night with the one before: nightshelf diff; roll back if it is wrong.",
        runbook=f"{_RUNBOOK}#the-nights-lists-are-worse",
        noise=0.01,
    ),
    Rule(
        *("diversity", "Category diversity", "ratio", True, 0.70, 0.60, _TWO_PASSES_S),
        advice="Compare the night with the one before: nightshelf diff; roll back if it is wrong.",
        runbook=f"{_RUNBOOK}#the-nights-lists-are-worse",
        noise=0.01,
    ),
    Rule(
        *("without_list", "Users without a list of their own", "%", False),
        *(0.50, 0.80, _TWO_PASSES_S),
        advice="See whether the log lacks days or types of events: the report's input.",
        runbook=f"{_RUNBOOK}#lists-are-missing",
        noise=0.01,
    ),
    Rule(
        *("offline_quality", "Offline quality against popularity", "ratio", True),
        *(1.0, 0.8, _TWO_PASSES_S),
        advice="Compare the night with the one before, and its inputs; roll back if it is wrong.",
        runbook=f"{_RUNBOOK}#the-nights-lists-are-worse",
        noise=0.1,
    ),
    Rule(
        *("ctr", "Click-through rate", "%", True, 0.05, 0.03, _NOISY_S),
        advice="See whether clicks are still tracked; then compare models, variants and nights.",
        runbook=f"{_RUNBOOK}#users-click-less",
        min_sample=1_000,
        noise=0.005,
    ),
    Rule(
        *("conversion", "Purchases a click", "%", True, 0.02, 0.01, _NOISY_S),
        advice="See whether purchases are still tracked; then compare with the shop's own sales.",
        runbook=f"{_RUNBOOK}#users-buy-less",
        min_sample=500,
        noise=0.005,
    ),
    Rule(
        *("services_down", "Processes that do not answer", "%", False, 0.0, 0.5, _TWO_PASSES_S),
        advice="Start the process again; its log's last lines give the reason.",
        runbook=f"{_RUNBOOK}#a-process-is-down",
    ),
    Rule(
        *("p95", "95 % of the reads answered within", "s", False, 0.2, 0.5, 2 * _TWO_PASSES_S),
        advice="See whether Redis times out, and whether a process is at its limit.",
        runbook=f"{_RUNBOOK}#answers-are-slow",
        min_sample=100,
        noise=0.02,
    ),
    Rule(
        *("error_rate", "Requests that fail", "%", False, 0.01, 0.05, _TWO_PASSES_S),
        advice="See which endpoint and status, and the log under the request's id.",
        runbook=f"{_RUNBOOK}#requests-fail",
        min_sample=100,
        noise=0.005,
    ),
    Rule(
        *("hit_rate", "Hit rate in Redis", "%", True, 0.80, 0.60, 2 * _TWO_PASSES_S),
        advice="See whether the night made all lists, and whether Redis evicts: nightshelf doctor.",
        runbook=f"{_RUNBOOK}#lists-are-missing",
        min_sample=100,
        noise=0.02,
    ),
    Rule(
        *("process_hit_rate", "Hit rate in the processes", "%", True, 0.30, 0.10, _NOISY_S),
        advice="See whether the cache is too small for the users of an hour.",
        runbook=f"{_RUNBOOK}#lists-are-missing",
        min_sample=100,
        noise=0.05,
        on=False,
    ),
    Rule(
        *("fallback_share", "Users' pages that are fallbacks", "%", False),
        *(0.50, 0.80, 2 * _TWO_PASSES_S),
        advice="See whether apps ask for known users, and whether lists have left Redis.",
        runbook=f"{_RUNBOOK}#lists-are-missing",
        min_sample=100,
        noise=0.02,
    ),
    Rule(
        *("deviation", "Largest deviation from the trailing median", "number", False),
        *(4.0, 8.0, _NOISY_S),
        advice="Find out what changed: a release, a campaign, the log, or the night.",
        runbook=f"{_RUNBOOK}#a-figure-deviates",
    ),
)
#: All rules with their defaults, by name.
RULES: Mapping[str, Rule] = {rule.name: rule for rule in _ALL}
