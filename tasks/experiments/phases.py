"""Bucket ranges of a phase, such that the fewest users change variant from the phase before.

Users are hashed to 10,000 buckets (`nightshelf.contract.assignment`). A variant whose weight
grows takes buckets from those whose weight falls; all other buckets stay where they are, so as many
move as the weights demand: the sum of their positive differences.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from nightshelf.contract.assignment import N_BUCKETS

#: Half-open [lo, hi), ascending.
Ranges = tuple[tuple[int, int], ...]
_FREE = -1


def shares(weights: Mapping[str, float]) -> dict[str, int]:
    """Return the buckets of each variant, `N_BUCKETS` in all, by largest remainder.

    Ties go to the earlier variant.

    >>> shares({"control": 1, "a": 1, "b": 1})
    {'control': 3334, 'a': 3333, 'b': 3333}
    """
    exact = {name: Fraction(weight) for name, weight in weights.items()}
    total = sum(exact.values())
    quotas = {name: weight * N_BUCKETS / total for name, weight in exact.items()}
    counts = {name: int(quota) for name, quota in quotas.items()}
    left = N_BUCKETS - sum(counts.values())
    for name in sorted(quotas, key=lambda each: counts[each] - quotas[each])[:left]:
        counts[name] += 1
    return counts


def allocate(weights: Mapping[str, float], before: Mapping[str, Ranges]) -> dict[str, Ranges]:
    """Return the ranges of each variant, moving the fewest buckets from those `before`.

    A shrinking variant gives its highest buckets away; the lowest free ones go to the first variant
    that grows.

    >>> allocate({"control": 2, "a": 3}, {"control": ((0, 5000),), "a": ((5000, 10000),)})
    {'control': ((0, 4000),), 'a': ((4000, 10000),)}
    """
    counts = shares(weights)
    owners = np.full(N_BUCKETS, _FREE)
    for at, (name, count) in enumerate(counts.items()):
        owners[_buckets(before.get(name, ()))[:count]] = at
    free = iter(np.flatnonzero(owners == _FREE))
    for at, count in enumerate(counts.values()):
        for _ in range(count - int(np.count_nonzero(owners == at))):
            owners[next(free)] = at
    return {name: _ranges(np.flatnonzero(owners == at)) for at, name in enumerate(counts)}


def traffic_ranges(share: float) -> Ranges:
    """Return the buckets of the users who take part: more traffic includes all of less.

    >>> traffic_ranges(0.2), traffic_ranges(0)
    (((0, 2000),), ())
    """
    stop = round(share * N_BUCKETS)
    return ((0, stop),) if stop else ()


def size(ranges: Iterable[Sequence[int]]) -> int:
    """Return the number of buckets in ranges."""
    return sum(hi - lo for lo, hi in ranges)


def moved(before: Mapping[str, Ranges], after: Mapping[str, Ranges]) -> int:
    """Count the buckets that another variant has after than before, or none had before."""
    kept = sum(
        len(np.intersect1d(_buckets(ranges), _buckets(after.get(name, ()))))
        for name, ranges in before.items()
    )
    return size(each for ranges in after.values() for each in ranges) - kept


def _buckets(ranges: Ranges) -> npt.NDArray[np.int64]:
    """Return the buckets of ranges, ascending."""
    return np.concatenate([np.arange(0), *(np.arange(lo, hi) for lo, hi in ranges)])


def _ranges(buckets: npt.NDArray[np.int64]) -> Ranges:
    return tuple(_runs(buckets))


def _runs(buckets: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the runs of consecutive buckets as [lo, hi)."""
    for run in np.split(buckets, np.flatnonzero(np.diff(buckets) > 1) + 1):
        if len(run):
            yield int(run[0]), int(run[-1]) + 1
