"""Comparing two generations' lists, against definitions over sets."""

import hashlib
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshelf.diff.compare import Comparison, Pair
from nightshelf.diff.document import Shown, figures, side_by_side
from nightshelf.diff.overlap import P, jaccard, rank_biased_overlap
from nightshelf.diff.read import sampled

ITEMS = st.sampled_from([f"i{number:02}" for number in range(14)])
LISTS = st.lists(ITEMS, max_size=8, unique=True).map(tuple)
SEGMENTS = st.sampled_from(["gold", "tin", "none"])
USERS = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.tuples(SEGMENTS, LISTS, LISTS))


def pairs_of(users: dict[str, Any]) -> list[Pair]:
    return [Pair(user, *users[user]) for user in sorted(users)]


def papers_overlap(a: Sequence[str], b: Sequence[str]) -> float:
    """Add up the paper's equation 32 from its definition over sets."""
    k = max(len(a), len(b))
    if not k:
        return 1.0
    shared = [len(set(a[:d]) & set(b[:d])) for d in range(1, k + 1)]
    tail = shared[-1] / k * P**k
    return tail + (1 - P) / P * sum(x / d * P**d for d, x in enumerate(shared, start=1))


@given(LISTS, LISTS)
def test_rank_biased_overlap_is_the_papers_sum(a: tuple[str, ...], b: tuple[str, ...]) -> None:
    found = rank_biased_overlap(a, b)
    assert found == pytest.approx(papers_overlap(a, b))
    assert found == rank_biased_overlap(b, a)


@given(LISTS, LISTS)
def test_jaccard_is_shared_over_all(a: tuple[str, ...], b: tuple[str, ...]) -> None:
    either = {*a} | {*b}
    expected = len({*a} & {*b}) / len(either) if either else 1.0
    assert jaccard(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("length", [1, 2, 50, 2_000])
def test_the_ends_of_the_scale(length: int) -> None:
    one = tuple(f"a{at}" for at in range(length))
    other = tuple(f"b{at}" for at in range(length))
    assert rank_biased_overlap(one, one) == 1.0
    assert rank_biased_overlap(one, list(one)) == pytest.approx(1.0)
    assert rank_biased_overlap(one, other) == 0.0
    assert rank_biased_overlap(one, ()) == 0.0
    assert rank_biased_overlap(one, (*one[1:], one[0])) <= 1.0
    early = rank_biased_overlap(one, (one[0], *other[1:]))
    late = rank_biased_overlap(one, (*other[:-1], one[-1]))
    assert early > late > 0 or length == 1, "agreement at the top weighs more"


def mean(values: list[Any]) -> Any:
    return pytest.approx(sum(values) / len(values), abs=1e-6) if values else None


def moves(pairs: list[Pair]) -> dict[str, Any]:
    """Define a group's figures over sets and filtered lists."""
    both = [pair for pair in pairs if pair.a and pair.b]
    return {
        "users": len(both),
        "only_a": len([pair for pair in pairs if not pair.b]),
        "only_b": len([pair for pair in pairs if not pair.a]),
        "jaccard": mean([len({*p.a} & {*p.b}) / len({*p.a} | {*p.b}) for p in both]),
        "rank_biased_overlap": mean([papers_overlap(pair.a, pair.b) for pair in both]),
        "identical": mean([list(pair.a) == list(pair.b) for pair in both]),
        "first_changed": mean([pair.a[:1] != pair.b[:1] for pair in both]),
    }


@given(USERS, st.integers(1, 4))
def test_a_comparison_is_its_definition(users: dict[str, Any], n: int) -> None:
    pairs = [pair for pair in pairs_of(users) if pair.a or pair.b]
    comparison = Comparison(n_changed=n)
    comparison.add(pairs_of(users))
    found = figures(comparison)
    assert found["overall"] == moves(pairs)
    names = {pair.segment for pair in pairs}
    assert {row.pop("segment"): row for row in found["segments"]} == {
        name: moves([pair for pair in pairs if pair.segment == name]) for name in names
    }

    a_lists, b_lists = ([p[side] for p in pairs if p[side]] for side in (2, 3))
    a_items, b_items = ({item for one in lists for item in one} for lists in (a_lists, b_lists))
    assert {row.item_id for row in comparison.entered()} == b_items - a_items
    assert {row.item_id for row in comparison.left()} == a_items - b_items
    for row in (*comparison.entered(), *comparison.left(), *comparison.shifts()):
        assert row.a_lists == sum(row.item_id in one for one in a_lists)
        assert row.b_lists == sum(row.item_id in one for one in b_lists)
        assert row.a_share == pytest.approx(row.a_lists / max(1, len(a_lists)), abs=1e-6)
        assert row.b_share == pytest.approx(row.b_lists / max(1, len(b_lists)), abs=1e-6)
        assert row.difference == pytest.approx(row.b_share - row.a_share, abs=3e-6)
    moved = [row.item_id for row in comparison.shifts()]
    still = (a_items | b_items) - {*moved}
    for item in still:
        a, b = (sum(item in one for one in lists) for lists in (a_lists, b_lists))
        assert a * len(b_lists) == b * len(a_lists)
    assert len(moved) == len({*moved})

    changed = [pair for pair in pairs if pair.a and pair.b and pair.a != pair.b]
    worst = sorted((round(papers_overlap(p.a, p.b), 9), p.user) for p in changed)[:n]
    assert [(round(c.rank_biased_overlap, 9), c.user) for c in comparison.changed] == worst


@given(USERS)
def test_rows_are_in_a_total_order(users: dict[str, Any]) -> None:
    comparison = Comparison(n_changed=3)
    comparison.add(pairs_of(users))
    entered, left, shifts = comparison.entered(), comparison.left(), comparison.shifts()
    assert entered == sorted(entered, key=lambda row: (-row.b_lists, row.item_id))
    assert left == sorted(left, key=lambda row: (-row.a_lists, row.item_id))
    assert shifts == sorted(shifts, key=lambda row: (-abs(row.difference), row.item_id))
    segments = [(-moved.n_users, name) for name, moved in comparison.by_segment()]
    assert segments == sorted(segments)


@given(USERS, st.integers(1, 5))
def test_batches_make_no_difference(users: dict[str, Any], size: int) -> None:
    pairs = pairs_of(users)
    whole, batched = Comparison(2), Comparison(2)
    whole.add(pairs)
    for start in range(0, len(pairs), size):
        batched.add(pairs[start : start + size])
    assert whole == batched


def test_planted_changes() -> None:
    comparison = Comparison(n_changed=2)
    comparison.add(
        [
            Pair("ann", "gold", ("x", "y"), ("x", "y")),
            Pair("bob", "gold", ("x", "y"), ("y", "x")),
            Pair("cid", "none", ("x", "y"), ("z", "w")),
            Pair("dot", "none", ("x",), ()),
            Pair("eve", "tin", (), ("z",)),
        ]
    )
    assert figures(comparison)["overall"] == {
        "users": 3,
        "only_a": 1,
        "only_b": 1,
        "jaccard": 0.666667,
        "rank_biased_overlap": 0.633333,  # 1, 0.9 and 0
        "identical": 0.333333,
        "first_changed": 0.666667,
    }
    assert [changed.user for changed in comparison.changed] == ["cid", "bob"]
    assert comparison.entered() == [("z", 0, 2, 0.0, 0.5, 0.5), ("w", 0, 1, 0.0, 0.25, 0.25)]
    assert comparison.left() == []
    assert [row[0] for row in comparison.shifts()] == ["x", "z", "w", "y"]
    assert comparison.shifts()[0] == ("x", 4, 2, 1.0, 0.5, -0.5)


def test_who_cannot_be_read_is_in_no_figure() -> None:
    comparison = Comparison(n_changed=3)
    comparison.add([Pair("ann", "gold", (), ("x",), corrupt=("shelf:shop:1:list:als:{ann}",))])
    assert comparison.corrupt == ["shelf:shop:1:list:als:{ann}"]
    assert comparison.entered() == comparison.left() == comparison.shifts() == []
    assert figures(comparison)["segments"] == []
    assert figures(comparison)["overall"]["only_b"] == 0


def test_side_by_side() -> None:
    pair = Pair("ann", "gold", ("a", "b", "c", "d"), ("a", "c", "e"))
    found = side_by_side(pair, 3, {"a": "Lamp"})
    assert found == [
        {
            "rank": 1,
            "a": {"item_id": "a", "title": "Lamp", "mark": "stayed", "to": 1},
            "b": {"item_id": "a", "title": "Lamp", "mark": "stayed", "from": 1},
        },
        {
            "rank": 2,
            "a": {"item_id": "b", "title": None, "mark": "left", "to": None},
            "b": {"item_id": "c", "title": None, "mark": "moved", "from": 3},
        },
        {
            "rank": 3,
            "a": {"item_id": "c", "title": None, "mark": "moved", "to": 2},
            "b": {"item_id": "e", "title": None, "mark": "new", "from": None},
        },
    ]
    assert side_by_side(pair, 9, {})[3]["b"] is None


def test_only_what_is_shown_needs_a_title() -> None:
    comparison = Comparison(n_changed=1)
    comparison.add([Pair("ann", "gold", ("a", "b", "c"), ("a", "c", "b", "z"))])
    shown = Shown(comparison, 2)
    assert shown.items() == {"a", "b", "c", "z"}
    assert Shown(comparison, 1).items() == {"a", "z"}
    found = shown.fields({"z": "Lamp"})
    assert found["n_entered"] == 1
    assert (found["entered"][0]["item_id"], found["entered"][0]["title"]) == ("z", "Lamp")
    assert len(found["changed"][0]["ranks"]) == 2


def test_a_sample_is_even_and_the_same_each_time() -> None:
    users = [f"u{number:04}" for number in range(4_000)]
    found = sampled(users, 400)
    by_hash = sorted(users, key=lambda user: hashlib.sha256(user.encode()).hexdigest())
    assert found == sorted(by_hash[:400])
    shuffled = random.Random(1).sample(users, len(users))
    assert sampled(shuffled, 400) == found
    assert set(sampled(users[1:], 400)) >= set(found) - {users[0]}, (
        "one night's users are another's"
    )
    quarters = [sum(user < f"u{1000 * q:04}" for user in found) for q in (1, 2, 3)]
    assert quarters == pytest.approx([100, 200, 300], abs=40)
    assert sampled(users[:3], 400) == users[:3]
