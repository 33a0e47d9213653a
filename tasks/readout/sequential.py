"""Verdicts at daily looks by the spending rule, and guardrails by confidence sequences.

A look is a day: the users first exposed up to it. Its information fraction is the share of the
planned users that they are. The look that reaches all of them is the last, and so is that of the
last day of an experiment that has ended: it spends what is left of alpha.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite

from tasks.experiments.definition import Definition
from tasks.readout.figures import Strata, difference, of_variant, strata
from tasks.readout.measures import Counted
from tasks.readout.records import Guardrail, Outcome, Verdict
from tasks.readout.settings import ReadoutSettings
from tasks.readout.sums import Row
from tasks.statistics.compare import Comparison
from tasks.statistics.confidence_sequence import half_width
from tasks.statistics.metrics import Measure
from tasks.statistics.power import Goal, users_for_mean, users_for_proportion
from tasks.statistics.spending import bounds


@dataclass(frozen=True)
class _Look:
    day: date
    fraction: float
    found: Comparison | None


def planned_users(
    definition: Definition, measure: Measure, found: Strata, settings: ReadoutSettings
) -> int | None:
    """Return users a variant that find the smallest effect of interest, by the control so far.

    `None` while the control has no user with an outcome, or where no number of users would do.
    """
    users = of_variant(found, definition.control.name)
    goal = Goal(
        definition.minimum_detectable_effect,
        settings.power,
        settings.alpha,
        len(definition.variants),
    )
    try:
        if measure.kind == "proportion":
            return users_for_proportion(measure.mean(users), goal)
        return users_for_mean(measure.mean(users), measure.variance(users), goal)
    except ValueError:
        return None


def verdicts(
    definition: Definition,
    counted: Counted,
    rows: Sequence[Row],
    settings: ReadoutSettings,
    *,
    is_over: bool,
) -> Iterator[Verdict]:
    """Yield the verdict of each variant by the primary metric; alpha is divided among them.

    The last look of an experiment that `is_over` decides, however few users have come.
    """
    measure, sign = counted.measures[0], counted.sign(definition.primary)
    planned = planned_users(definition, measure, strata(rows), settings)
    if planned is None:
        return
    alpha = settings.alpha / (len(definition.variants) - 1)
    for variant in definition.variants[1:]:
        pair = (definition.control.name, variant.name)
        looks = list(_looks(measure, rows, pair, planned, alpha))
        limits = bounds([each.fraction for each in looks], alpha, is_over=is_over)
        judged = list(zip(looks, limits, strict=True))
        if verdict := _verdict(judged, variant.name, planned, sign, is_over=is_over):
            yield verdict


def _looks(
    measure: Measure, rows: Sequence[Row], pair: tuple[str, str], planned: int, alpha: float
) -> Iterator[_Look]:
    """Yield the looks of each day in order, up to the one that has all planned users."""
    for day in sorted({row.day for row in rows}):
        found = strata(row for row in rows if row.day <= day)
        fraction = min(1.0, _effective(found, pair) / planned)
        with_past = difference(measure, found, *pair, alpha=alpha, cuped=True)
        judged = with_past or difference(measure, found, *pair, alpha=alpha)
        yield _Look(day, fraction, judged)
        if fraction == 1.0:
            return


def _effective(found: Strata, pair: tuple[str, str]) -> float:
    """Return users a variant of an even split that would know as much: the harmonic mean."""
    one, other = (of_variant(found, name).n for name in pair)
    return 2 * one * other / (one + other) if one and other else 0.0


def _verdict(
    looks: Sequence[tuple[_Look, float]], variant: str, planned: int, sign: int, *, is_over: bool
) -> Verdict | None:
    """Return the verdict of the first look beyond its bound, or of the last look."""
    made = None
    for number, (look, bound) in enumerate(looks, 1):
        if look.found is None or not look.found.se:
            continue
        z = look.found.difference / look.found.se
        is_last = look.fraction == 1.0 or (is_over and number == len(looks))
        outcome: Outcome = "no difference found" if is_last else "undecided"
        if abs(z) >= bound:
            outcome = "better" if sign * z > 0 else "worse"
        half = bound * look.found.se if isfinite(bound) else None
        apart = look.found.difference
        made = Verdict(
            variant, outcome, f"{look.day}", look.fraction, planned, z,
            bound if isfinite(bound) else None, apart,
            None if half is None else apart - half, None if half is None else apart + half,
        )  # fmt: skip
        if outcome in ("better", "worse"):
            return made
    return made


def guardrails(
    definition: Definition, counted: Counted, found: Strata, settings: ReadoutSettings
) -> Iterator[Guardrail]:
    """Yield each variant's guardrails; alpha is divided among all of them."""
    n = len(definition.guardrails) * (len(definition.variants) - 1)
    measures = {each.name: each for each in counted.measures}
    for metric in definition.guardrails:
        measure = measures[metric.name]
        planned = planned_users(definition, measure, found, settings)
        for variant in definition.variants[1:]:
            pair = (definition.control.name, variant.name)
            with_past = difference(measure, found, *pair, alpha=settings.alpha, cuped=True)
            judged = with_past or difference(measure, found, *pair, alpha=settings.alpha)
            if judged is None or not judged.se:
                continue
            users = round(_effective(found, pair))
            half = half_width(judged.se, users, planned or users, settings.alpha / n)
            low, high = judged.difference - half, judged.difference + half
            breached = high < 0 if counted.sign(metric) > 0 else low > 0
            yield Guardrail(metric.name, variant.name, judged.difference, low, high, breached)
