"""Bucket ranges: as many buckets as the weights say, and no bucket moves that need not."""

from collections.abc import Mapping
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from nightshelf.contract.assignment import N_BUCKETS
from tasks.experiments.phases import (
    Ranges,
    allocate,
    moved,
    shares,
    size,
    traffic_ranges,
)

NAMES = ("control", "a", "b", "c", "d")
weights = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 20).map(float), min_size=1).filter(
    lambda found: sum(found.values()) > 0
)


def owner_by_bucket(ranges: Mapping[str, Ranges]) -> list[str]:
    """Return each bucket's variant; every bucket has just one."""
    owners: dict[int, str] = {}
    for name, own in ranges.items():
        assert all(lo < hi for lo, hi in own)
        assert all(hi < lo for (_, hi), (lo, _) in pairwise(own)), "adjacent ranges are one"
        for lo, hi in own:
            for bucket in range(lo, hi):
                assert bucket not in owners
                owners[bucket] = name
    assert sorted(owners) == list(range(N_BUCKETS))
    return [owners[bucket] for bucket in range(N_BUCKETS)]


@given(st.lists(weights, min_size=2, max_size=5))
@settings(max_examples=40)
def test_the_fewest_buckets_move_from_phase_to_phase(phases: list[dict[str, float]]) -> None:
    before: dict[str, Ranges] = {}
    for given_weights in phases:
        after = allocate(given_weights, before)
        counts = shares(given_weights)
        assert {name: size(own) for name, own in after.items()} == counts
        now = owner_by_bucket(after)
        if before:
            past = owner_by_bucket(before)
            n_moved = sum(old != new for old, new in zip(past, now, strict=True))
            grown = {name: counts.get(name, 0) - size(before.get(name, ())) for name in NAMES}
            # Each bucket that a variant gains is one that moved: no allocation moves fewer.
            assert n_moved == sum(max(0, each) for each in grown.values())
            assert n_moved == moved(before, after)
        assert allocate(given_weights, after) == after
        before = after


def test_cumulative_ranges_would_move_more() -> None:
    even = allocate({"control": 1, "a": 1, "b": 1}, {})
    tilted = allocate({"control": 0.2, "a": 0.4, "b": 0.4}, even)
    cumulative = {"control": ((0, 2000),), "a": ((2000, 6000),), "b": ((6000, 10000),)}
    assert moved(even, tilted) == 1334
    assert moved(even, cumulative) == 2001


def test_a_share_is_within_a_bucket_of_its_weight() -> None:
    counts = shares({"a": 0.1, "b": 0.2, "c": 0.7})
    assert counts == {"a": 1000, "b": 2000, "c": 7000}
    counts = shares({str(at): 1.0 for at in range(7)})
    assert (sum(counts.values()), set(counts.values())) == (N_BUCKETS, {1428, 1429})


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_traffic_includes_all_of_less(one: float, other: float) -> None:
    less, more = sorted((one, other))
    few, many = traffic_ranges(less), traffic_ranges(more)
    assert size(few) <= size(many)
    assert all(lo == 0 for lo, _ in (*few, *many))
    assert abs(size(many) - more * N_BUCKETS) <= 0.5
