"""Deviation of figures from their trailing median, and the history that it needs.

A night's figure is compared with the nights before, one of a pass with the passes at this time of
day on the days before. The unit is 1.4826 x MAD (the standard deviation, were the figure normal);
at least the rule's `noise`, `deviation_floor` of the median, and the standard error of a share in a
sample of that size.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from tasks.watch.figures import Figure, Figures
from tasks.watch.rules import Rule
from tasks.watch.settings import WatchSettings

#: Figures of a pass that are kept by the hour.
HOURLY = (
    *("ctr", "conversion"),
    *("p95", "error_rate", "hit_rate", "process_hit_rate", "fallback_share"),
)
_TO_DEVIATION = 1.4826
_DAY_H = 24


@dataclass(frozen=True)
class History:
    """One value an hour of each figure of a pass: rule -> hour since 1970 -> value."""

    values: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def with_pass(self, figures: Figures, now: datetime, days: int) -> "History":
        """Return the history with this pass's figures, without those of more than `days` ago."""
        hour = _hour(now)
        kept = {}
        for name in HOURLY:
            values = {
                h: v for h, v in self.values.get(name, {}).items() if h > hour - days * _DAY_H
            }
            figure = figures.get(name)
            if figure and figure.value is not None:
                values[hour] = figure.value
            if values:
                kept[name] = values
        return History(kept)

    def at_this_time(self, name: str, now: datetime) -> list[float]:
        """Return the values of earlier days in this hour, the one before and the one after."""
        hour = _hour(now)
        past = ((hour - each, value) for each, value in self.values.get(name, {}).items())
        return [value for ago, value in past if ago >= _DAY_H - 1 and (ago + 1) % _DAY_H <= 2]


@dataclass(frozen=True)
class Deviation:
    """A figure's deviation from its median, in units of what is usual."""

    rule: Rule
    value: float
    median: float
    size: float

    def __str__(self) -> str:
        text = self.rule.text
        return f"{self.rule.title} {text(self.value)}, usually {text(self.median)}"


def deviations(
    rules: Mapping[str, Rule],
    figures: Figures,
    trailing: Mapping[str, Sequence[float]],
    settings: WatchSettings,
) -> dict[str, Deviation]:
    """Return the deviation of each figure that has a value and enough past ones."""
    found = {}
    for name, past in trailing.items():
        figure, rule = figures.get(name), rules[name]
        enough = figure is not None and (figure.sample is None or figure.sample >= rule.min_sample)
        if figure and figure.value is not None and enough and len(past) >= settings.min_trailing:
            middle = median(past)
            unit = _unit(past, middle, figure, rule, settings.deviation_floor)
            size = abs(figure.value - middle) / unit if unit else 0.0
            found[name] = Deviation(rule, figure.value, middle, size)
    return found


def deviation_figure(found: Mapping[str, Deviation], rule: Rule, now: datetime) -> Figure:
    """Return the largest deviation, with a sentence on each beyond the first threshold."""
    if not found:
        return Figure(None, "no figure has enough nights or days before it")
    most = sorted(found.values(), key=lambda each: (-each.size, each.rule.name))
    odd = [each for each in most if rule.level(each.size) != "ok"] or most[:1]
    says = "; ".join(map(str, odd))
    return Figure(most[0].size, says, now.isoformat(timespec="seconds"))


def _unit(past: Sequence[float], middle: float, figure: Figure, rule: Rule, floor: float) -> float:
    spread = _TO_DEVIATION * median(abs(each - middle) for each in past)
    of_sample = 0.0
    if rule.unit == "%" and figure.sample and 0 <= middle <= 1:
        of_sample = math.sqrt(middle * (1 - middle) / figure.sample)
    return max(spread, floor * abs(middle), rule.noise, of_sample)


def _hour(now: datetime) -> int:
    return int(now.timestamp() // 3600)
