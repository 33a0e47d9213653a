"""Error rates of the readout's statistics, in simulated experiments with a seed.

Each experiment is drawn as sums of its users day by day, and judged by the code of the readout
(`tasks/readout/sequential.py`, `tasks/statistics`). Printed are

- false positives of 4,000 experiments without an effect, at one look and at 14 daily ones;
- power at the planned size (5 %, +10 %, 31,234 users a variant);
- coverage of the 95 % intervals of conversion, CTR and revenue, with and without CUPED;
- false positives by CTR where a user's impressions depend on one another: ours, and a test of
  proportions over impressions;
- false alarms of the sample ratio under 14 daily looks, and looks at which the confidence sequence
  of a guardrail misses.

The last line says whether all are within their limits.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks._simulated import (
    CTR,
    DAYS,
    INTERVALS,
    LIFT,
    RATE,
    breached,
    by_impressions,
    held_by_intervals,
    looks,
    mismatches,
    one_look,
)
from tasks.statistics.power import Goal, users_for_proportion

_BATCHES = 8
Simulate = Callable[..., list[Any]]


@dataclass(frozen=True)
class Line:
    """A simulated rate in percent of so many runs, and the limits that it should lie within."""

    name: str
    runs: int
    rate: float
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Say that the rate is within its limits."""
        return self.low <= self.rate <= self.high


def main(
    runs: Annotated[int, typer.Option(help="Experiments of each line; fewer of the slow ones.")] = (
        4_000
    ),
    seed: Annotated[int, typer.Option(help="Seed of all draws.")] = 20260301,
) -> None:
    """Simulate in as many processes as there are processors; print a table and a verdict."""
    n = users_for_proportion(RATE, Goal(LIFT))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        simulate = Simulation(pool, np.random.SeedSequence(seed))
        one, daily = simulate(one_look, runs, n, 0.0), simulate(looks, runs, n, 0.0)
        power, powers = simulate(one_look, runs, n, LIFT), simulate(looks, runs // 2, n, LIFT)
        held, naive = simulate(held_by_intervals, runs), simulate(by_impressions, runs)
        alarms, breaches = simulate(mismatches, runs), simulate(breached, runs // 8)
        lines = [
            Line("A/A, false positives at one look", *rate(one), 0, 5.5),
            Line(f"A/A, false positives at {DAYS} daily looks", *rate(daily), 0, 5.5),
            Line("Power at the planned size, one look", *rate(power), 77, 100),
            Line(f"Power at the planned size, {DAYS} daily looks", *rate(powers), 77, 100),
            *(Line(f"Coverage, {name}", *each, 94, 96) for name, each in coverage(held)),
            Line("A/A by CTR, clicks of a user depend", *rate(missed_by_ctr(held)), 0, 6),
            Line("  the same by a test over impressions, fails", *rate(naive), 7, 100),
            Line(f"False alarms of the sample ratio, {DAYS} looks", *rate(alarms), 0, 1),
            Line(f"False breaches of a guardrail, {DAYS} looks", *rate(breaches), 0, 5.5),
        ]
    table = Table("simulated", "runs", "rate", "limits")
    for line in lines:
        limits = f"{line.low:g} to {line.high:g} %"
        table.add_row(line.name, f"{line.runs:,}", f"{line.rate:.1f} %", limits)
    Console(width=100).print(table)
    missed = [line.name for line in lines if not line.met]
    print("Missed: " + "; ".join(missed) if missed else f"All {len(lines)} are within their limits")
    if missed:
        raise typer.Exit(1)


class Simulation:
    """Simulated experiments in a pool of processes, each batch with a seed of its own."""

    def __init__(self, pool: Executor, seeds: np.random.SeedSequence) -> None:
        self._pool, self._seeds = pool, seeds

    def __call__(self, simulate: Simulate, runs: int, *given: float) -> list[Future[list[Any]]]:
        """Begin `runs` experiments, in batches."""
        counts = [runs // _BATCHES] * _BATCHES
        seeds = self._seeds.spawn(_BATCHES)
        return [
            self._pool.submit(simulate, np.random.default_rng(seed), count, *given)
            for seed, count in zip(seeds, counts, strict=True)
        ]


def rate(outcomes: list[Future[list[bool]]]) -> tuple[int, float]:
    """Return the number of experiments, and the percentage of true outcomes."""
    found = [each for batch in outcomes for each in batch.result()]
    return len(found), 100 * float(np.mean(found))


def coverage(
    held: list[Future[list[list[bool]]]],
) -> Iterator[tuple[str, tuple[int, float]]]:
    """Yield the name and the coverage of each interval."""
    found = np.array([each for batch in held for each in batch.result()])
    for (measure, cuped), each in zip(INTERVALS, found.T, strict=True):
        yield measure.name + ", with CUPED" * cuped, (len(each), 100 * float(each.mean()))


def missed_by_ctr(held: list[Future[list[list[bool]]]]) -> list[Future[list[bool]]]:
    """Return for each experiment whether CTR differs, as its interval says."""
    at = INTERVALS.index((CTR, False))
    missed: Future[list[bool]] = Future()
    missed.set_result([not each[at] for batch in held for each in batch.result()])
    return [missed]


if __name__ == "__main__":
    typer.run(main)
