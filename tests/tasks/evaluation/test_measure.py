"""The lists as they were read back: planted nights with known figures."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.evaluation.measure import Metrics, measure
from tasks.recommend.settings import TopNSettings
from tests.tasks.report_night import Night, make_night

CATALOGUE: dict[str, tuple[str | None, bool]] = {
    "a": ("books", True),
    "b": ("books", True),
    "c": ("mugs", True),
    "d": ("mugs", True),
    "e": (None, True),
    "f": ("mugs", False),
}
HISTORY = {"u1": ["a", "b"], "u2": ["a"], "u3": ["c", "a"]}


def measured(night: Night, **settings: Any) -> Metrics:
    listing = TopNSettings(**{"n": 2, "page_size": 2, "max_per_category": 1} | settings)
    return measure(night.run, night.made, listing)


def night_of(root: Path, lists: dict[str, list[str]], **changes: Any) -> Night:
    base: dict[str, Any] = {"catalogue": CATALOGUE, "history": HISTORY}
    return make_night(root, lists=lists, **(base | changes))


def test_a_lawful_night(tmp_path: Path) -> None:
    lists = {"u1": ["c", "e"], "u2": ["c", "b"], "u3": ["b"]}
    found = measured(night_of(tmp_path, lists, only_in_file=1))
    assert found.coverage == pytest.approx(3 / 5)
    assert found.diversity == 1.0  # of the two lists that have two items
    assert found.personalisation == pytest.approx(1 - (2 / 3) / (5 / 3))
    # c and b are known to 1 of 4 users, e to nobody.
    assert found.novelty_bits == pytest.approx((4 * 2 + 2.321928) / 5)
    assert found.gini == pytest.approx(0.48)
    assert (found.full_share, found.short_share, found.fallback_share) == (0.5, 0.25, 0.25)
    assert found.popularity_lift == pytest.approx((4 / 5) / (11 / 5))
    assert (found.n_users, found.n_lists, found.n_fallback) == (4, 3, 1)
    assert (found.n_distinct, found.n_available) == (3, 5)
    assert (found.n_seen, found.n_unavailable, found.n_breaches) == (0, 0, 0)
    assert found.families == {"list": 3, "popular": 1, "similar": 0}


def test_every_broken_rule_is_counted(tmp_path: Path) -> None:
    lists = {
        "u1": ["a", "c", "d", "e"],  # a is seen
        "u2": ["c", "d"],  # two mugs on a page
        "u3": ["f", "ghost"],  # one not to be had, one that never was
        "stranger": ["a", "c"],  # has no history to have seen
    }
    found = measured(night_of(tmp_path, lists))
    assert (found.n_seen, found.n_unavailable, found.n_breaches) == (1, 2, 1)


def test_items_of_unknown_category_break_no_rule(tmp_path: Path) -> None:
    """Two items that name no category, and one that nobody knows, on a page for one of each."""
    catalogue = CATALOGUE | {"g": (None, True), "h": ("unknown", True)}
    lists = {"u1": ["e", "g", "h"], "u2": ["c", "e", "g"]}
    night = night_of(tmp_path, lists, catalogue=catalogue)
    assert measured(night, page_size=3).n_breaches == 0
    explored = night_of(tmp_path / "explored", lists, catalogue=catalogue, explored=lists)
    assert measured(explored, page_size=3, rerank="none").n_breaches == 0


def test_only_the_rules_in_force_are_counted(tmp_path: Path) -> None:
    """Two mugs on a page of u1, three on one of u2, where one was dealt to explore."""
    lists = {"u1": ["c", "d"], "u2": ["c", "d", "b", "e"]}
    explored = {"u2": ["d", "e"]}
    night = night_of(tmp_path, lists, explored=explored)
    assert measured(night).n_breaches == 2
    for rerank in ("none", "mmr"):
        assert measured(night, rerank=rerank).n_breaches == 1  # d, which the rule still binds
    off, on = measured(night), measured(night, explore_slots=1, max_item_share=0.5)
    assert (off.explored_share, off.n_over_cap, off.score_kept) == (None, None, None)
    assert on.explored_share == pytest.approx(2 / 6)
    assert on.n_over_cap == 2


def test_the_cap_counts_those_who_would_have_a_list(tmp_path: Path) -> None:
    """u3 has seen all that the model knows: of 3 lists there would be 2, so 60 % is one list."""
    history = HISTORY | {"u3": ["a", "b", "c"]}
    night = night_of(tmp_path, {"u1": ["c"], "u2": ["c", "b"]}, history=history)
    assert measured(night, max_item_share=0.6).n_over_cap == 1
    assert measured(night, max_item_share=0.9).n_over_cap == 1
    alone = night_of(tmp_path / "alone", {"u1": ["c"], "u2": ["b"]}, history=history)
    assert measured(alone, max_item_share=0.6).n_over_cap == 0


def test_seen_is_what_the_matrix_says_and_not_the_history(tmp_path: Path) -> None:
    lists = {"u3": ["c", "a"], "u2": ["b", "a"]}
    night = night_of(tmp_path, lists, seen={"u3": ["c"], "u2": []})
    assert measured(night).n_seen == 1


def test_items_without_factors_are_left_out_of_the_variety(tmp_path: Path) -> None:
    factors = {"a": (1.0, 0.0), "b": (0.0, 1.0), "c": (0.0, 0.0)}
    night = night_of(tmp_path, {"u1": ["a", "b", "c", "e"]}, factors=factors)
    assert measured(night).intra_list_diversity == pytest.approx(1.0)


def test_no_lists_at_all(tmp_path: Path) -> None:
    found = measured(night_of(tmp_path, {}))
    assert (found.coverage, found.diversity, found.gini) == (0.0, 0.0, 0.0)
    assert (found.n_lists, found.fallback_share) == (0, 1.0)


def test_one_user(tmp_path: Path) -> None:
    found = measured(night_of(tmp_path, {"u1": ["c", "e"]}, history={"u1": ["a"]}))
    assert (found.personalisation, found.full_share, found.n_fallback) == (0.0, 1.0, 0)


def test_nothing_is_available(tmp_path: Path) -> None:
    catalogue = {item: (category, False) for item, (category, _) in CATALOGUE.items()}
    found = measured(night_of(tmp_path, {"u2": ["b", "c"]}, catalogue=catalogue))
    assert (found.coverage, found.gini, found.n_unavailable) == (0.0, 0.0, 2)


def test_curves_add_up(tmp_path: Path) -> None:
    night = night_of(tmp_path, {"u1": ["c", "e"], "u2": ["c", "b"]})
    found = measured(night)
    curves = json.loads(found.curves.read_text())
    shown = {row["name"]: row["served"] for row in curves["categories"]}
    assert shown == {"books": 0.25, "mugs": 0.5, "unknown": 0.25}
    assert sum(row["history"] for row in curves["categories"]) == pytest.approx(1)
    assert sum(curves["entropies"]) == 2
    assert curves["lorenz"]["exposure"]["gini"] == found.gini
    # Each user's deepest event is a day older: two users have two.
    assert curves["days"] == {
        "first": "2026-02-27",
        "last": "2026-02-28",
        "days_a_point": 1,
        "events": [2.0, 3.0],
    }


def test_many_categories_and_many_days_are_gathered(tmp_path: Path) -> None:
    catalogue: dict[str, tuple[str | None, bool]] = {
        f"i{k:03}": (f"category {k}", True) for k in range(703)
    }
    history = {"u1": list(catalogue), "u2": list(catalogue)[:20]}
    night = night_of(tmp_path, {}, catalogue=catalogue, history=history)
    curves = json.loads(measured(night).curves.read_text())
    assert len(curves["categories"]) == 16
    assert curves["categories"][-1]["name"] == "688 others"
    assert curves["categories"][-1]["history"] == pytest.approx((5 * 2 + 683) / 723)
    days = curves["days"]
    assert days["days_a_point"] == 7
    lengths = [7] * 100 + [3]
    assert sum(n * k for n, k in zip(days["events"], lengths, strict=True)) == pytest.approx(
        723, abs=0.5
    )


def test_the_journal_keeps_the_figures(tmp_path: Path) -> None:
    night = night_of(tmp_path, {"u1": ["c", "e"]})
    found = measured(night)
    line = night.run.steps()[-1]
    assert (line["step"], line["coverage"]) == ("measure", found.coverage)
    assert "curves" not in line
