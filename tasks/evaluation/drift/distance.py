"""Distances of two histograms: the population stability index and Jensen-Shannon's."""

import numpy as np
from scipy.spatial.distance import jensenshannon

from tasks.evaluation.drift.histograms import Floats, Histogram

#: The least share of a bin in the index, which an empty bin would make infinite.
FLOOR = 1e-4


def shares(first: Histogram, second: Histogram) -> tuple[list[str], Floats, Floats]:
    """Return the bins of both, and each histogram's shares of them, which add up to 1.

    Raises `ValueError` where a histogram has no mass.
    """
    labels = list({**first, **second})
    mass = [np.array([each.get(label, 0.0) for label in labels]) for each in (first, second)]
    if not all(each.sum() > 0 for each in mass):
        raise ValueError("a histogram without mass has no shares")
    left, right = (each / each.sum() for each in mass)
    return labels, left, right


def psi_terms(now: Floats, before: Floats) -> Floats:
    """Return each bin's term of the population stability index, 0 up.

    ``(p - q) ln(p / q)`` with both shares at least `FLOOR`: the index is their sum, Jeffreys'
    divergence (1946), in use as PSI since Siddiqi, "Credit risk scorecards" (2006). Symmetric.

    >>> float(psi_terms(np.array([0.8, 0.2]), np.array([0.5, 0.5])).sum().round(4))
    0.4159
    """
    p, q = np.maximum(now, FLOOR), np.maximum(before, FLOOR)
    terms: Floats = (p - q) * np.log(p / q)
    return terms


def js_distance(now: Floats, before: Floats) -> float:
    """Return the Jensen-Shannon distance (base 2): 0 equal, 1 without a bin in common.

    Endres & Schindelin, "A new metric for probability distributions" (2003).

    >>> js_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    with np.errstate(invalid="ignore"):  # the root of -1e-17 where rounding leaves that
        return float(np.nan_to_num(jensenshannon(now, before, base=2)))
