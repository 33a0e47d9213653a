"""Sums of users: count, sums and sums of products, from which all comparisons follow.

Sums of whole numbers are exact and equal in any order; variances are taken before they are rounded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add

Pair = tuple[str, str]


@dataclass(frozen=True)
class Moments:
    """Sums over `n` users of variables and of products of two of them (a square: twice the name).

    A pair's names are in alphabetical order. Moments of separate users add up.
    """

    n: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)
    products: Mapping[Pair, float] = field(default_factory=dict)

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both groups of users together."""
        if not self.n or not other.n:
            return self if self.n else other
        return Moments(
            self.n + other.n,
            {name: value + other.sums[name] for name, value in self.sums.items()},
            {pair: value + other.products[pair] for pair, value in self.products.items()},
        )

    def mean(self, name: str) -> float:
        """Return the mean of a variable; 0 without users."""
        return self.sums[name] / self.n if self.n else 0.0

    def covariance(self, one: str, other: str) -> float:
        """Return the sample covariance (n - 1) of two variables; 0 of less than two users."""
        if self.n < 2:
            return 0.0
        product = self.products[pair(one, other)]
        return (self.n * product - self.sums[one] * self.sums[other]) / (self.n * (self.n - 1))

    def variance(self, name: str) -> float:
        """Return the sample variance (n - 1) of a variable."""
        return max(0.0, self.covariance(name, name))

    def scaled(self, units: Mapping[str, float]) -> "Moments":
        """Return these moments with each variable of `units` divided by its unit."""
        unit = dict.fromkeys(self.sums, 1.0) | dict(units)
        return Moments(
            self.n,
            {name: value / unit[name] for name, value in self.sums.items()},
            {of: value / (unit[of[0]] * unit[of[1]]) for of, value in self.products.items()},
        )


def pair(one: str, other: str) -> Pair:
    """Return two names as the key of their product."""
    return (one, other) if one <= other else (other, one)


def total(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all parts together."""
    return reduce(add, parts, Moments())
