"""Bayesian view of proportions: probability to be best, and expected loss, by quadrature.

The posterior of a variant's rate is Beta(1 + successes, 1 + failures). No random number is drawn:
equal counts give equal figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betainccinv, betaincinv, betaln

Floats = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
#: Quantiles of each posterior between which the integrand is smooth.
_CUTS = (1e-13, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.4)


@dataclass(frozen=True)
class Posterior:
    """Posterior of a variant's rate: its mean, 95 % interval, P(best) and expected loss.

    `loss` is what choosing this variant costs on average, in units of the rate.
    """

    mean: float
    low: float
    high: float
    p_best: float
    loss: float


def posteriors(successes: Sequence[float], trials: Sequence[float]) -> list[Posterior]:
    """Return the posterior of each variant's rate; `successes` lie in 0 to `trials`.

    P(i best) is the integral of f_i times the product of all other F_j, the expected loss
    E[max] - E[i] that of 1 - product of all F_j, less the mean of i.
    """
    given, of = np.asarray(successes, float), np.asarray(trials, float)
    counted = given.clip(0, of)
    if not len(of) or not np.allclose(given, counted):  # weighted rates may be rounded
        raise ValueError(f"successes {list(successes)} of trials {list(trials)}: need 0 to trials")
    a, b = counted + 1, of - counted + 1
    x, weights, top = _panels(a, b)
    below = np.stack([betainc(p, q, x) for p, q in zip(a, b, strict=True)])
    log_density = (a[:, None] - 1) * np.log(x) + (b[:, None] - 1) * np.log1p(-x)
    density = np.exp(log_density - betaln(a, b)[:, None])
    others = np.stack([np.delete(below, i, axis=0).prod(axis=0) for i in range(len(a))])
    best = (density * others) @ weights
    best /= best.sum()
    highest = top - below.prod(axis=0) @ weights  # above `top` each F is 1
    means = a / (a + b)
    low, high = betaincinv(a, b, [[0.025], [0.975]])
    rows = zip(means, low, high, best, np.maximum(highest - means, 0), strict=True)
    return [Posterior(*map(float, row)) for row in rows]


def _panels(a: Floats, b: Floats) -> tuple[Floats, Floats, float]:
    """Return nodes and weights of Gauss-Legendre between quantiles, and the highest of these."""
    quantiles = np.array([*_CUTS, 0.5])[:, None]
    edges = np.unique(np.concatenate([betaincinv(a, b, quantiles), betainccinv(a, b, quantiles)]))
    half = np.diff(edges)[:, None] / 2
    middle = (edges[:-1] + edges[1:])[:, None] / 2
    return (middle + half * _NODES).ravel(), (half * _WEIGHTS).ravel(), float(edges[-1])
