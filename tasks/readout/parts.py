"""Parts of an experiment: sample ratios, and the primary metric by phase, segment and day.

Only the sample ratios and the phases say something for certain; of segments and days there are
many, and some differ by chance.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from tasks.experiments.definition import Definition
from tasks.readout.figures import Strata, difference, of_variant, strata
from tasks.readout.records import Part
from tasks.readout.sums import AgeRow, Row
from tasks.statistics.metrics import Measure
from tasks.statistics.sample_ratio import SampleRatio, sample_ratios

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)

#: Shares of the variants by phase.
Shares = Mapping[int, Mapping[str, float]]
#: Segments and days shown, the largest and the first.
_MOST = 14


def ratios(rows: Sequence[Row], shares: Shares) -> Iterator[SampleRatio]:
    """Yield the sample ratios of each phase, then of each day, then of each segment.

    Each of the three kinds raises a false alarm in one readout of 1,000.
    """
    kinds: tuple[Callable[[Row], str], ...] = (
        lambda row: f"phase {row.phase}",
        lambda row: f"{row.day}, phase {row.phase}",
        lambda row: f"segment {row.segment}, phase {row.phase}",
    )
    for name_of in kinds:
        users: dict[str, Counter[str]] = defaultdict(Counter)
        of_part: dict[str, Mapping[str, float]] = {}
        for row in rows:
            users[name_of(row)][row.variant] += row.moments.n
            of_part[name_of(row)] = shares.get(row.phase, {})
        yield from sample_ratios(users, of_part)


def phases(
    definition: Definition, measure: Measure, rows: Sequence[Row], alpha: float
) -> Iterator[Part]:
    """Yield each phase by itself, with all users that it had."""
    for phase, variants in sorted(strata(rows, returning=True).items()):
        yield from _parts("phase", f"{phase}", definition, measure, {phase: variants}, alpha)


def segments(
    definition: Definition, measure: Measure, rows: Sequence[Row], alpha: float
) -> Iterator[Part]:
    """Yield the largest segments, where there are several."""
    found = _grouped(rows, lambda row: row.segment)
    if len(found) < 2:
        return
    largest = sorted(found, key=lambda name: (-sum(r.moments.n for r in found[name]), name))
    for name in largest[:_MOST]:
        yield from _parts("segment", name, definition, measure, strata(found[name]), alpha)


def days(
    definition: Definition, measure: Measure, ages: Sequence[AgeRow], alpha: float
) -> Iterator[Part]:
    """Yield each day after the users' first: an effect that fades is one of novelty."""
    for age, rows in sorted(_grouped(ages, lambda row: row.age).items())[:_MOST]:
        found: Strata = {0: {row.variant: row.moments for row in rows}}
        yield from _parts("day", f"{age}", definition, measure, found, alpha)


def _parts(
    kind: Literal["phase", "segment", "day"],
    part: str,
    definition: Definition,
    measure: Measure,
    found: Strata,
    alpha: float,
) -> Iterator[Part]:
    control = definition.control.name
    for variant in definition.variants[1:]:
        each = difference(measure, found, control, variant.name, alpha=alpha)
        if each is not None:
            users = sum(of_variant(found, name).n for name in (control, variant.name))
            yield Part(
                kind, part, variant.name, users, each.difference, each.low, each.high, each.lift
            )


def _grouped(rows: Iterable[R], key: Callable[[R], K]) -> dict[K, list[R]]:
    found: dict[K, list[R]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found
