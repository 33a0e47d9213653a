"""Group-sequential bounds: alpha spent as O'Brien and Fleming do, at looks that nobody planned.

The spending function of Lan and DeMets (1983) gives the alpha that may be spent up to an
information fraction; each look's bound follows from all looks before it, by the recursion of
Armitage, McPherson and Rowe (1969) on a grid.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]

#: Looks that add less information than this are not looks: their bound is infinite.
_MIN_STEP = 0.005
#: Below this nothing is spent: the bound would be over 8 standard errors.
_MIN_ALPHA = 1e-15
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(256)
_SQRT_2PI = np.sqrt(2 * np.pi)


def spent(fraction: float, alpha: float) -> float:
    """Return the two-sided alpha that may be spent up to an information fraction of 0 to 1.

    >>> round(spent(1.0, 0.05), 4), round(spent(0.5, 0.05), 4)
    (0.05, 0.0031)

    Each side spends 2 - 2 Phi(z / sqrt(fraction)), with z the quantile of alpha / 4.
    """
    if fraction <= 0:
        return 0.0
    return float(4 * ndtr(ndtri(alpha / 4) / np.sqrt(min(1.0, fraction))))


def bounds(
    fractions: Sequence[float], alpha: float = 0.05, *, is_over: bool = False
) -> list[float]:
    """Return the bound of |z| at each look, for information fractions in ascending order.

    >>> [round(bound, 3) for bound in bounds([0.5, 1.0])]
    [2.963, 1.969]

    After a fraction of 1 nothing is left to spend: further looks have an infinite bound. If the
    experiment `is_over`, the last look spends what is left, whatever its fraction.
    """
    found: list[float] = []
    at, used = 0.0, 0.0
    region: tuple[Floats, Floats] | None = None  # nodes of B(t) inside the bounds, density x weight
    for number, fraction in enumerate(fractions, 1):
        now, is_last = min(1.0, fraction), is_over and number == len(fractions)
        may_spend = alpha if is_last else spent(now, alpha)
        step, budget = now - at, may_spend - used
        passed_over = step < _MIN_STEP and now < 1.0 and not is_last
        if at == 1.0 or now <= 0 or passed_over or budget < _MIN_ALPHA:
            found.append(np.inf)
            continue
        sd = np.sqrt(max(step, _MIN_STEP))
        edge = _edge(region, sd, budget)
        region = _inside(region, sd, edge)
        at, used = now, may_spend
        found.append(float(edge / np.sqrt(now)))
    return found


def _edge(region: tuple[Floats, Floats] | None, sd: float, budget: float) -> float:
    """Return the bound of |B(t)| that is crossed first at this look with probability `budget`."""
    nodes, mass = (np.zeros(1), np.ones(1)) if region is None else region

    def excess(edge: float) -> float:
        crossed = ndtr((nodes - edge) / sd) + ndtr((-nodes - edge) / sd)
        return float(mass @ crossed) - budget

    return float(brentq(excess, 0.0, 40.0, xtol=1e-10))


def _inside(region: tuple[Floats, Floats] | None, sd: float, edge: float) -> tuple[Floats, Floats]:
    """Return nodes of B(t) within the bound, and the mass of paths that have not crossed yet."""
    before, mass = (np.zeros(1), np.ones(1)) if region is None else region
    reach = min(edge, float(np.abs(before).max()) + 9 * sd)
    nodes = reach * _NODES
    steps = (nodes[:, None] - before[None, :]) / sd
    density = np.exp(-0.5 * steps * steps) @ mass
    return nodes, density * reach * _WEIGHTS / (sd * _SQRT_2PI)
