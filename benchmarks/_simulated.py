"""Simulated experiments: drawn as sums of their users, and judged by the code of the readout."""

from datetime import UTC, date, datetime, timedelta
from itertools import product

import numpy as np
import numpy.typing as npt

from tasks.experiments.definition import Definition, Metric, WeightedVariant
from tasks.readout.figures import strata
from tasks.readout.measures import Counted
from tasks.readout.sequential import guardrails, verdicts
from tasks.readout.settings import ReadoutSettings
from tasks.readout.sums import Row
from tasks.statistics.compare import compare
from tasks.statistics.metrics import Measure
from tasks.statistics.moments import Moments, pair
from tasks.statistics.sample_ratio import sample_ratios

Floats = npt.NDArray[np.float64]

DAYS = 14
RATE, LIFT = 0.05, 0.10
START = datetime(2026, 3, 2, tzinfo=UTC)
DEFINITION = Definition(
    id="exp",
    hypothesis="",
    variants=(WeightedVariant("a", "als"), WeightedVariant("b", "ease")),
    start=START,
    guardrails=(Metric.named("revenue"),),
)
SETTINGS = ReadoutSettings()
CONVERSION = Measure("conversion", "proportion", "m0", "pre_m0")
CTR = Measure("ctr", "ratio", "m1", "pre_m1", "shown", "pre_shown")
REVENUE = Measure("revenue", "mean", "m2", "pre_m2")
COUNTED = Counted(DEFINITION.metrics, {})
INTERVALS = [(each, cuped) for each in (CONVERSION, CTR, REVENUE) for cuped in (False, True)]
_NO_PAST = {("m1", "pre_m1"): 0.0, ("pre_m1", "pre_m1"): 0.0}


def one_look(rng: np.random.Generator, runs: int, n: int, lift: float) -> list[bool]:
    """Tell for each experiment whether conversion differs at one look."""
    drawn = rng.binomial(n, (RATE, RATE * (1 + lift)), (runs, 2))
    made = (compare(CONVERSION, converted(n, a), converted(n, b)) for a, b in drawn)
    return [each is not None and each.p is not None and each.p < SETTINGS.alpha for each in made]


def looks(rng: np.random.Generator, runs: int, n: int, lift: float) -> list[bool]:
    """Tell for each experiment whether a verdict is reached within the daily looks."""
    daily = -(-n // DAYS)
    found = []
    for drawn in rng.binomial(daily, (RATE, RATE * (1 + lift)), (runs, DAYS, 2)):
        rows = [
            Row(1, name, day_of(at), "", is_returning=False, moments=converted(daily, int(count)))
            for at, counts in enumerate(drawn)
            for name, count in zip("ab", counts, strict=True)
        ]
        (verdict,) = verdicts(DEFINITION, COUNTED, rows, SETTINGS, is_over=True)
        found.append(verdict.outcome in ("better", "worse"))
    return found


def converted(n: int, count: int) -> Moments:
    """Return the moments of users of whom `count` converted, none of them known before."""
    found = {"m0": int(count), "pre_m0": 0}
    squares = {("m0", "m0"): int(count), ("m0", "pre_m0"): 0, ("pre_m0", "pre_m0"): 0}
    return Moments(n, found, squares)


def day_of(at: int) -> date:
    """Return the day of a look."""
    return (START + timedelta(days=at)).date()


def held_by_intervals(rng: np.random.Generator, runs: int) -> list[list[bool]]:
    """Tell for each experiment which 95 % intervals hold the true difference, which is 0.

    2,000 users a variant, each with a taste: clicks within a user depend on each other, and the
    past tells of the present.
    """
    found = []
    for _ in range(runs):
        one, other = (users(rng, 2_000) for _ in range(2))
        made = [compare(each, one, other, cuped=cuped) for each, cuped in INTERVALS]
        found.append([bool(m and m.low and m.high and m.low <= 0 <= m.high) for m in made])
    return found


def by_impressions(rng: np.random.Generator, runs: int) -> list[bool]:
    """Tell for each experiment whether a z test of proportions over impressions differs."""
    found = []
    for _ in range(runs):
        pair = [users(rng, 2_000) for _ in range(2)]
        (a, n), (b, m) = ((each.sums["m1"], each.sums["shown"]) for each in pair)
        pooled = (a + b) / (n + m)
        se = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        found.append(bool(abs(a / n - b / m) > 1.96 * se))
    return found


def users(rng: np.random.Generator, n: int) -> Moments:
    """Draw users and return their moments."""
    taste = rng.gamma(2.0, 0.5, n)
    shown, pre_shown = rng.poisson(20, n) + 1, rng.poisson(20, n) + 1
    click = np.minimum(1, 0.1 * taste)
    bought, pre_bought = (rng.random(n) < np.minimum(1, 0.1 * taste) for _ in range(2))
    variables: dict[str, Floats] = {
        "shown": shown.astype(float),
        "m0": bought.astype(float),
        "m1": rng.binomial(shown, click).astype(float),
        "m2": bought * rng.gamma(2.0, 15.0, n),
        "pre_shown": pre_shown.astype(float),
        "pre_m0": pre_bought.astype(float),
        "pre_m1": rng.binomial(pre_shown, click).astype(float),
        "pre_m2": pre_bought * rng.gamma(2.0, 15.0, n),
    }
    names = sorted(variables)
    matrix = np.stack([variables[name] for name in names])
    each = zip(product(names, repeat=2), (matrix @ matrix.T).ravel().tolist(), strict=True)
    return Moments(
        n,
        {name: float(variables[name].sum()) for name in names},
        {pair(*both): value for both, value in each},
    )


def mismatches(rng: np.random.Generator, runs: int) -> list[bool]:
    """Tell for each even split whether the sample ratio raises an alarm at a daily look."""
    found = []
    for daily in rng.binomial(2_000, 0.5, (runs, DAYS)):
        counts = np.cumsum(np.stack([daily, 2_000 - daily]), axis=1)
        found.append(any(_mismatch(int(a), int(b)) for a, b in counts.T))
    return found


def breached(rng: np.random.Generator, runs: int) -> list[bool]:
    """Tell for each experiment without an effect whether a guardrail differs at a daily look."""
    return [_breached(rng) for _ in range(runs)]


def _mismatch(a: int, b: int) -> bool:
    (found,) = sample_ratios({"all": {"a": a, "b": b}}, {"all": {"a": 0.5, "b": 0.5}})
    return found.failed


def _breached(rng: np.random.Generator) -> bool:
    """Tell whether revenue without an effect breaches at any look: 500 users a day and variant."""
    rows = []
    for at in range(DAYS):
        for name in "ab":
            paid = (rng.random(500) < RATE) * rng.gamma(2.0, 15.0, 500)
            moments = Moments(
                500,
                {"m1": float(paid.sum()), "pre_m1": 0.0},
                {
                    ("m1", "m1"): float((paid**2).sum()),
                    ("m1", "pre_m1"): 0.0,
                    ("pre_m1", "pre_m1"): 0.0,
                },
            )
            rows.append(Row(1, name, day_of(at), "", is_returning=False, moments=moments))
        found = list(guardrails(DEFINITION, COUNTED, strata(rows), SETTINGS))
        if any(each.low > 0 or each.high < 0 for each in found):
            return True
    return False
