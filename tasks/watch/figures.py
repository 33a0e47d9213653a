"""A figure as a source gives it, and its reading by a rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from nightshelf.contract.incident import UNKNOWN, Reading
from tasks.watch.rules import Rule


@dataclass(frozen=True)
class Figure:
    """A figure: its value, or `None` and the reason in `says`.

    `sample` is the number of events or requests that it is a share or a quantile of, `as_of` its
    time (ISO 8601).
    """

    value: float | None
    says: str = ""
    as_of: str = ""
    sample: int | None = None


#: Figures by the name of their rule.
Figures = Mapping[str, Figure]


def unknown(names: tuple[str, ...], reason: str) -> dict[str, Figure]:
    """Return figures that nothing is known of, for one reason."""
    return {name: Figure(None, reason) for name in names}


def share(part: float, whole: float, says: str, now: datetime) -> Figure:
    """Return the share of a part in a whole number of events; unknown where there are none."""
    value = part / whole if whole else None
    return Figure(value, says, now.isoformat(timespec="seconds"), round(whole))


def read(rule: Rule, figure: Figure | None, median: float | None = None) -> Reading:
    """Judge a figure by its rule's thresholds; a sample that is too small makes it unknown."""
    if figure is None:
        figure = Figure(None, "its source gave none")
    remark, value = figure.says, figure.value
    if value is not None and (figure.sample or 0) < rule.min_sample:
        remark, value = f"{remark}; {rule.min_sample:,} are needed".removeprefix("; "), None
    if value is None:
        says = f"{rule.title}: unknown ({remark or 'nothing was counted'})"
        return Reading(rule.name, None, UNKNOWN, says, rule.limit("ok"), figure.as_of, median)
    level = rule.level(value)
    if rule.unit == "fact":
        says = f"{rule.title}: {remark if level != 'ok' else f'no ({remark})'}"
        return Reading(rule.name, value, level, says, rule.limit(level), figure.as_of, median)
    limit, aside = rule.limit(level), f" ({remark})" if remark else ""
    side = "below" if rule.below else "over"
    crossed = f", {side} {rule.text(limit)}" if level != "ok" and limit is not None else ""
    says = f"{rule.title}: {rule.text(value)}{crossed}{aside}"
    return Reading(rule.name, value, level, says, limit, figure.as_of, median)
