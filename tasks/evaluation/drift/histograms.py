"""Histograms whose bins are the same in every night.

A bin is a label with its mass. Bins of numbers are log-spaced, and each value is shared between its
two nearest bins in proportion (linear binning), so that no value jumps a bin's edge overnight.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Label of a bin -> its mass, in the order of the bins.
Histogram: TypeAlias = dict[str, float]
Floats = NDArray[np.float64]
Numbers = NDArray[np.integer] | Floats

UNKNOWN = "unknown"
OTHERS = "all others"
#: Categories that have a bin of their own.
_MOST_NAMES = 100
#: Scores from 2**-20 to 2**20, two bins an octave.
_OCTAVES = 20


def of_numbers(values: Numbers, weights: Numbers | None = None) -> Histogram:
    """Return the histogram of numbers from 0 up, over the bins 0, 1, 3, 7, 15, ...

    `weights` is each value's mass, 1 by default. A value between two bins is shared between them
    by its distance in log2(1 + value).

    >>> of_numbers(np.array([0, 0, 1, 7]))
    {'0': 2.0, '1': 1.0, '3': 0.0, '7': 1.0}
    """
    mass = _shared(np.log2(1 + np.asarray(values, np.float64)), weights)
    return {str(2**k - 1): each for k, each in enumerate(mass)}


def of_ranks(counts: Numbers) -> Histogram:
    """Return the share of the counts that the highest, the second, the fourth, ... have.

    >>> of_ranks(np.array([1, 5, 2]))  # the third's 1 lies between the second and the fourth
    {'1': 5.0, '2': 2.415, '4': 0.585}
    """
    falling = np.sort(np.asarray(counts, np.float64))[::-1]
    mass = _shared(np.log2(np.arange(1, len(falling) + 1)), falling)
    return {str(2**k): each for k, each in enumerate(mass)}


def of_scores(scores: Floats) -> Histogram:
    """Return the histogram of scores, two bins an octave, over every bin from 2**-20 to 2**20.

    >>> {label: mass for label, mass in of_scores(np.array([-1.0, 1.0, 2.0])).items() if mass}
    {'0 or less': 1.0, '1': 1.0, '2': 1.0}
    """
    places = 2 * (np.log2(scores[scores > 0]) + _OCTAVES)
    mass = _shared(np.clip(places, 0, 4 * _OCTAVES))
    above = {f"{2 ** (k / 2 - _OCTAVES):.3g}": each for k, each in enumerate(mass)}
    return {"0 or less": float(np.count_nonzero(scores <= 0)), **above}


def of_names(counts: Mapping[str, float]) -> Histogram:
    """Return the histogram of named counts, the smallest of more than a hundred as one bin.

    >>> of_names({"a": 1, "b": 3})
    {'b': 3.0, 'a': 1.0}
    """
    falling = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    top = {name: float(n) for name, n in falling[:_MOST_NAMES]}
    rest = falling[_MOST_NAMES:]
    return top | ({OTHERS: float(sum(n for _, n in rest))} if rest else {})


def added(histograms: Iterable[Histogram]) -> Histogram:
    """Add up histograms bin by bin.

    >>> added([{"a": 1.0}, {"a": 2.0, "b": 4.0}])
    {'a': 3.0, 'b': 4.0}
    """
    total: Histogram = {}
    for histogram in histograms:
        for label, mass in histogram.items():
            total[label] = total.get(label, 0.0) + mass
    return total


def _shared(places: Floats, weights: Numbers | None = None) -> list[float]:
    """Share each value's mass between the bins below and above its place, up to the last filled."""
    mass = np.ones(len(places)) if weights is None else np.asarray(weights, np.float64)
    low = places.astype(np.int64)
    above = mass * (places - low)
    n_bins = int(low.max(initial=-1)) + 2
    sums = np.bincount(low, mass - above, n_bins) + np.bincount(low + 1, above, n_bins)
    n_filled = int(sums.nonzero()[0].max(initial=-1)) + 1
    return [round(float(each), 3) for each in sums[:n_filled]]
