"""Comparison of two variants by tea-tasting, from moments alone (no user's row is read).

Importing this module takes two to three seconds: only a readout does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite

import numpy as np
import tea_tasting as tt
from scipy.stats import norm
from tea_tasting.aggr import Aggregates
from tea_tasting.experiment import ExperimentResult
from tea_tasting.metrics import MetricBaseAggregated

from tasks.statistics.metrics import Measure
from tasks.statistics.moments import Moments

#: Smallest count of users a variant for which the normal approximations are said to hold.
MIN_USERS = 30


@dataclass(frozen=True)
class Comparison:
    """A metric of control and treatment: difference, its interval, relative lift, two-sided p.

    `se` is the standard error of the difference. Figures that do not exist are `None`: a lift over
    a control of 0, all of a metric without variance.
    """

    control: float
    treatment: float
    difference: float
    low: float | None
    high: float | None
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    p: float | None
    se: float | None


def compare(
    metric: Measure,
    control: Moments,
    treatment: Moments,
    *,
    level: float = 0.95,
    cuped: bool = False,
) -> Comparison | None:
    """Compare two variants: a proportion, a mean (Welch) or a ratio (delta method).

    `cuped` removes the part of the variance that activity before the exposure explains (Deng et
    al., 2013). `None` where a variant has fewer than two users, or the ratio's denominator is 0.
    """
    if min(control.n, treatment.n) < 2 or not _has_denominator(metric, control, treatment):
        return None
    if cuped and not (control + treatment).sums[metric.per_before or metric.before]:
        return None
    judge = _metric_of(metric, level, cuped=cuped)
    names = metric.variables if cuped else metric.present
    both = (_aggregates(control, names), _aggregates(treatment, names))
    with np.errstate(all="ignore"):  # a variance or a mean of 0: figures that do not exist
        found = judge.analyze_aggregates(*both)
    low, high = float(found.effect_size_ci_lower), float(found.effect_size_ci_upper)
    half = (high - low) / 2
    return Comparison(
        control=float(found.control),
        treatment=float(found.treatment),
        difference=float(found.effect_size),
        low=_finite(low),
        high=_finite(high),
        lift=_finite(found.rel_effect_size),
        lift_low=_finite(found.rel_effect_size_ci_lower),
        lift_high=_finite(found.rel_effect_size_ci_upper),
        p=_finite(found.pvalue) if half else None,
        se=_finite(half / norm.ppf((1 + level) / 2)) if half else None,
    )


def adjusted(ps: Mapping[str, float]) -> dict[str, float]:
    """Return Holm's adjusted p of each hypothesis, whatever their dependence."""
    named = {name: {"pvalue": p} for name, p in ps.items()}
    if not named:
        return {}
    found = tt.adjust_fwer(ExperimentResult(named), arbitrary_dependence=True, method="bonferroni")
    (results,) = found.values()
    return {str(name): float(each["pvalue_adj"]) for name, each in results.items()}


def _metric_of(metric: Measure, level: float, *, cuped: bool) -> MetricBaseAggregated:
    if metric.kind == "proportion" and not cuped:
        # Unpooled: the interval and the test then agree.
        return tt.Proportion(
            metric.value, method="norm", equal_var=False, correction=False, confidence_level=level
        )
    covariates = (metric.before, metric.per_before) if cuped else (None, None)
    return tt.RatioOfMeans(
        metric.value, metric.per, *covariates,
        confidence_level=level, equal_var=False, use_t=metric.kind == "mean",
    )  # fmt: skip


def _aggregates(moments: Moments, names: Sequence[str]) -> Aggregates:
    return Aggregates(
        moments.n,
        {name: moments.mean(name) for name in names},
        {name: moments.variance(name) for name in names},
        {(a, b): moments.covariance(a, b) for a, b in combinations(names, 2)},
    )


def _has_denominator(metric: Measure, *variants: Moments) -> bool:
    return metric.per is None or all(each.sums[metric.per] for each in variants)


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None
