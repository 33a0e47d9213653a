"""Assignment of a million users: even over buckets and variants, independent between experiments.

Chi-squares of sequential ids and of UUIDs: over all buckets of a salt, over variants of given
weights, over the joint counts of two salts in ten cells each (81 degrees of freedom), and over
variants within 20 % traffic. A p-value under 0.0001 or over 0.9999 (more even than chance) fails:
of ten tests chance alone fails one in 500 runs, and the ids are always the same. FNV-1a modulo
1,000, which a well-known tool takes, stands beside. The last line is the verdict, and the exit code
is 1 where a test fails.
"""

import sys
from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt
from scipy import stats

from nightshelf.contract.assignment import N_BUCKETS, bucket
from nightshelf.contract.experiment import Experiment, Variant

N_USERS = 1_000_000
#: Of the users of one experiment, in ten-thousandths.
WEIGHTS = {"control": 5_000, "a": 3_333, "b": 1_667}
_LEAST = 1e-4
_SEED = 20260301
_N_FNV_USERS = 200_000
_FNV_BUCKETS = 1_000

Buckets = npt.NDArray[np.int64]


def main() -> None:
    """Print a line a test, and the verdict; the exit code is 1 where one fails."""
    p_values = []
    for name, users in (("sequential ids", sequential()), ("UUIDs", uuids())):
        for title, statistic, degrees, p_value in tests(users):
            print(
                f"{name}, {title}: chi-square {statistic:,.0f} at {degrees:,} degrees of freedom, "
                f"p {p_value:.4f}"
            )
            p_values.append(p_value)
    one, other = fnv_buckets("exp-1"), fnv_buckets("exp-2")
    statistic, _, _ = independence(one, other, _FNV_BUCKETS)
    print(f"FNV-1a, {_N_FNV_USERS:,} sequential ids, two experiments: chi-square {statistic:,.0f}")
    even = all(_LEAST <= p_value <= 1 - _LEAST for p_value in p_values)
    verdict = "uniform and independent" if even else "NOT uniform and independent"
    print(f"verdict: {verdict}, {len(p_values)} tests of {N_USERS:,} users")
    sys.exit(not even)


def sequential() -> list[str]:
    """Return ids as a shop numbers its users."""
    return [f"u{number}" for number in range(N_USERS)]


def uuids() -> list[str]:
    """Return random UUIDs, the same each time."""
    raw = np.random.default_rng(_SEED).bytes(16 * N_USERS)
    return [str(UUID(bytes=raw[at : at + 16], version=4)) for at in range(0, len(raw), 16)]


def tests(users: Sequence[str]) -> Iterator[tuple[str, float, int, float]]:
    """Yield each test's title, chi-square, degrees of freedom and p-value."""
    one, other, traffic = (
        buckets(f"{name}", users) for name in ("exp-1:variant", "exp-2:variant", "exp-1:traffic")
    )
    yield "buckets", *fit(np.bincount(one, minlength=N_BUCKETS), np.ones(N_BUCKETS))
    counts = [int(np.isin(one, list(held)).sum()) for held in variant_buckets().values()]
    yield "variants", *fit(np.array(counts), np.array(list(WEIGHTS.values())))
    yield "two experiments", *independence(one, other)
    yield "traffic and variant", *independence(traffic, one)
    in_it = traffic < N_BUCKETS // 5
    yield (
        "variants within 20 % traffic",
        *fit(np.bincount(one[in_it] // 1_000, minlength=10), np.ones(10)),
    )


def buckets(salt: str, users: Sequence[str]) -> Buckets:
    """Return each user's bucket."""
    return np.fromiter((bucket(salt, user) for user in users), np.int64, len(users))


def variant_buckets() -> dict[str, set[int]]:
    """Return the buckets of each variant, as `Experiment` gives them out."""
    ends = np.cumsum(list(WEIGHTS.values())).tolist()
    ranges = zip([0, *ends], ends, strict=False)
    variants = tuple(
        Variant(name, name, (held,)) for name, held in zip(WEIGHTS, ranges, strict=True)
    )
    experiment = Experiment("exp-1", 1, ((0, N_BUCKETS),), variants)
    held: dict[str, set[int]] = {name: set() for name in WEIGHTS}
    for number in range(N_BUCKETS):
        held[experiment.variant_at(number).name].add(number)
    return held


def fit(
    counts: npt.NDArray[np.int64], weights: npt.NDArray[np.generic]
) -> tuple[float, int, float]:
    """Return chi-square, degrees of freedom and p-value of counts under these weights."""
    expected = counts.sum() * weights / weights.sum()
    statistic, p_value = stats.chisquare(counts, expected)
    return float(statistic), len(counts) - 1, float(p_value)


def independence(
    one: Buckets, other: Buckets, n_buckets: int = N_BUCKETS
) -> tuple[float, int, float]:
    """Return chi-square, degrees of freedom and p-value of two experiments' joint tenths."""
    width = n_buckets // 10
    joint = np.bincount(one // width * 10 + other // width, minlength=100).reshape(10, 10)
    found = stats.contingency.chi2_contingency(joint, correction=False)
    return float(found.statistic), int(found.dof), float(found.pvalue)


def fnv_buckets(salt: str) -> Buckets:
    """Return the buckets of sequential ids by FNV-1a over id and salt, modulo 1,000."""
    ids = (f"u{number}{salt}" for number in range(_N_FNV_USERS))
    return np.fromiter(
        (fnv1a(each.encode()) % _FNV_BUCKETS for each in ids), np.int64, _N_FNV_USERS
    )


def fnv1a(text: bytes) -> int:
    """Return the 32-bit FNV-1a hash (Fowler, Noll and Vo)."""
    hashed = 0x811C9DC5
    for byte in text:
        hashed = (hashed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return hashed


if __name__ == "__main__":
    main()
