"""A bandit against an even split, simulated: conversions lost, floors, and honest differences.

Each run is 21 nights of 10,000 newly exposed users and three variants, under a base rate that falls
from 6 to 3 %. Outcomes of a night are known two nights later, when their window has passed. Regret
is the conversions lost against the best variant for all; that of an even split is exact. The
difference of the second variant from the control is estimated by period, as the night does, and
pooled, to compare. The same seed gives the same figures.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.experiments.bandit import (
    CONTROL_SHARE,
    FLOOR,
    Outcomes,
    bandit_shares,
    by_period,
    pooled,
)
from tasks.experiments.phases import allocate, shares

_RUNS, _NIGHTS, _USERS, _WINDOW_NIGHTS, _SEED = 300, 21, 10_000, 2, 20260301
_BASE = np.linspace(0.06, 0.03, _NIGHTS)
#: Standard errors of the mean over the runs that an unbiased estimate stays within.
_ERRORS = 3
#: What is true -> differences of the variants' rates from the base rate, the control's first.
_WORLDS = {
    "a better variant": (0.0, 0.00375, -0.003),
    "the control is best": (0.0, -0.00375, -0.006),
    "all are alike": (0.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Ended:
    """Outcome of one run: conversions lost, least share of a variant, and two estimates."""

    regret: float
    least: float
    by_period: float
    pooled: float


def main() -> None:
    """Print a line for each world, then the verdict."""
    rng = np.random.default_rng(_SEED)
    kept = [report(name, np.array(lifts), rng) for name, lifts in _WORLDS.items()]
    print(f"verdict: {'ok' if all(kept) else 'FAILED'}")


def report(name: str, lifts: npt.NDArray[np.float64], rng: np.random.Generator) -> bool:
    """Simulate a world, print its figures, and tell whether they keep what they promise."""
    runs = [run(lifts, rng) for _ in range(_RUNS)]
    regret = float(np.mean([each.regret for each in runs]))
    even = float(_NIGHTS * _USERS * (lifts.max() - lifts).mean())
    least = min(each.least for each in runs)
    estimates = np.array([each.by_period for each in runs])
    error = estimates.std(ddof=1) / np.sqrt(_RUNS)
    lie = float(np.mean([each.pooled for each in runs]))
    unbiased = abs(estimates.mean() - lifts[1]) <= _ERRORS * error
    print(
        f"{name}: regret {regret:,.0f} conversions of {_NIGHTS * _USERS:,} users, even split "
        f"{even:,.0f}; least share {least:.3f} (floor {FLOOR}, control's "
        f"{FLOOR + CONTROL_SHARE:.2f}); difference {lifts[1]:+.5f}, "
        f"by period {estimates.mean():+.5f} ± {error:.5f}, pooled {lie:+.5f}"
    )
    return unbiased and least >= FLOOR - 1e-9 and (regret < even or not even)


def run(lifts: npt.NDArray[np.float64], rng: np.random.Generator) -> Ended:
    """Run the nights of one experiment; a change of shares begins a period."""
    names = [str(at) for at in range(len(lifts))]
    users: list[npt.NDArray[np.int64]] = []
    converted: list[npt.NDArray[np.int64]] = []
    periods: list[int] = []
    ranges = allocate(dict.fromkeys(names, 1.0), {})
    lost, least, before = 0.0, 1.0, None
    for night, base in enumerate(_BASE):
        known = max(0, night - _WINDOW_NIGHTS)
        found = bandit_shares(by_phase(users[:known], converted[:known], periods[:known]), night)
        counts = shares(dict(zip(names, found.shares.tolist(), strict=True)))
        periods.append(periods[-1] + (counts != before) if periods else 0)
        ranges, before = allocate(counts, ranges), counts
        split = np.array(list(counts.values())) / sum(counts.values())
        floors = np.array([CONTROL_SHARE, *[0.0] * (len(lifts) - 1)])
        least = min(least, float((split - floors).min()))
        users.append(rng.multinomial(_USERS, split))
        converted.append(rng.binomial(users[-1], base + lifts))
        lost += float((users[-1] * (lifts.max() - lifts)).sum())
    whole = by_phase(users, converted, periods)
    return Ended(lost, least, by_period(whole, 1).difference, pooled(whole, 1))


def by_phase(
    users: list[npt.NDArray[np.int64]], converted: list[npt.NDArray[np.int64]], periods: list[int]
) -> Outcomes:
    """Add up the nights of each period."""
    if not users:
        return Outcomes(np.zeros((0, 3), np.int64), np.zeros((0, 3), np.int64))
    at = np.unique(periods, return_index=True)[1]
    return Outcomes(np.add.reduceat(users, at), np.add.reduceat(converted, at))


if __name__ == "__main__":
    main()
