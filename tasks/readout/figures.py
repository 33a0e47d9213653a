"""Figures of an experiment's users: values, comparisons with the control, the Bayesian view."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt

from scipy.stats import norm

from tasks.experiments.definition import Definition, Metric
from tasks.readout.records import Belief, Figure, Role, Value
from tasks.readout.sums import Row
from tasks.statistics.best import posteriors
from tasks.statistics.compare import Comparison, adjusted, compare
from tasks.statistics.metrics import Measure
from tasks.statistics.moments import Moments, total

#: Moments of the users by phase and variant; each user in the first phase that shows the user.
Strata = Mapping[int, Mapping[str, Moments]]


def strata(rows: Iterable[Row], *, returning: bool = False) -> Strata:
    """Add rows up by phase and variant; users of an earlier phase only where `returning`."""
    found: dict[int, dict[str, list[Moments]]] = {}
    for row in rows:
        if returning or not row.is_returning:
            found.setdefault(row.phase, {}).setdefault(row.variant, []).append(row.moments)
    return {
        phase: {variant: total(parts) for variant, parts in variants.items()}
        for phase, variants in found.items()
    }


def of_variant(found: Strata, variant: str) -> Moments:
    """Return the moments of a variant's users of all phases."""
    return total(variants.get(variant, Moments()) for variants in found.values())


def difference(
    measure: Measure,
    found: Strata,
    control: str,
    variant: str,
    *,
    alpha: float,
    cuped: bool = False,
) -> Comparison | None:
    """Compare a variant with the control in each phase, and weight the phases by their users.

    Pooled over phases, a variant whose share grew would be compared on other days than the control.
    """
    level = 1 - alpha
    parts = []
    for variants in found.values():
        pair = (variants.get(control, Moments()), variants.get(variant, Moments()))
        if (each := compare(measure, *pair, level=level, cuped=cuped)) is not None:
            parts.append((sum(users.n for users in pair), each))
    if len(parts) < 2:
        return parts[0][1] if parts else None
    weights = [n / sum(n for n, _ in parts) for n, _ in parts]
    return _weighted(weights, [each for _, each in parts], level)


def _weighted(weights: Sequence[float], parts: Sequence[Comparison], level: float) -> Comparison:
    """Return the weighted mean; its lift's interval takes the control's value as known."""

    def mean(name: str) -> float:
        return float(sum(w * getattr(each, name) for w, each in zip(weights, parts, strict=True)))

    control, apart = mean("control"), mean("difference")
    errors = [(w * (each.se or 0.0)) ** 2 for w, each in zip(weights, parts, strict=True)]
    se = sqrt(sum(errors))
    half = float(norm.ppf((1 + level) / 2)) * se
    lift, lift_low, lift_high = (
        (apart + side) / control if control else None for side in (0.0, -half, half)
    )
    return Comparison(
        control=control,
        treatment=mean("treatment"),
        difference=apart,
        low=apart - half,
        high=apart + half,
        lift=lift,
        lift_low=lift_low,
        lift_high=lift_high,
        p=float(2 * norm.sf(abs(apart) / se)) if se else None,
        se=se or None,
    )


def values(metrics: Sequence[Measure], found: Strata, names: Sequence[str]) -> Iterator[Value]:
    """Yield each metric of each variant, with the 95 % interval of its own."""
    for measure in metrics:
        for name in names:
            users = of_variant(found, name)
            if users.n:
                value = measure.mean(users)
                half = float(norm.ppf(0.975)) * sqrt(measure.variance(users) / users.n)
                yield Value(measure.name, name, users.n, value, value - half, value + half)


def figures(
    definition: Definition, measures: Sequence[Measure], found: Strata, alpha: float
) -> tuple[Figure, ...]:
    """Compare every variant with the control by every metric; p is Holm's over all but guardrails.

    A guardrail is judged by its confidence sequence.
    """
    made = [
        Figure(
            measure.name,
            role_of(definition, measure.name),
            variant.name,
            plain,
            difference(
                measure, found, definition.control.name, variant.name, alpha=alpha, cuped=True
            ),
        )
        for measure in measures
        for variant in definition.variants[1:]
        if (plain := difference(measure, found, definition.control.name, variant.name, alpha=alpha))
    ]
    judged = {
        f"{at}": each.best.p
        for at, each in enumerate(made)
        if each.role != "guardrail" and each.best.p is not None
    }
    holm = adjusted({name: p for name, p in judged.items() if p is not None})
    return tuple(replace(each, p_holm=holm.get(f"{at}")) for at, each in enumerate(made))


def role_of(definition: Definition, metric: str) -> Role:
    """Return the part that a metric plays in an experiment."""
    if metric == definition.primary.name:
        return "primary"
    return "secondary" if metric in _names(definition.secondary) else "guardrail"


def beliefs(definition: Definition, measures: Sequence[Measure], found: Strata) -> Iterator[Belief]:
    """Yield the posterior of each variant's rate: of the primary metric, or the first share.

    Several phases are weighted by their users, the same for all variants.
    """
    measure = next((each for each in measures if each.kind == "proportion"), None)
    names = [each.name for each in definition.variants]
    full = [v for v in found.values() if all(v.get(name, Moments()).n for name in names)]
    if measure is None or not full:
        return
    sizes = [sum(each[name].n for name in names) for each in full]
    weights = [size / sum(sizes) for size in sizes]
    rates, users = [], []
    for name in names:
        phases = list(zip(weights, (each[name] for each in full), strict=True))
        rates.append(sum(w * measure.mean(own) for w, own in phases))
        users.append(1 / sum(w**2 / own.n for w, own in phases))
    counts = [rate * n for rate, n in zip(rates, users, strict=True)]
    for name, posterior in zip(names, posteriors(counts, users), strict=True):
        yield Belief(measure.name, name, posterior)


def _names(metrics: Iterable[Metric]) -> set[str]:
    return {each.name for each in metrics}
