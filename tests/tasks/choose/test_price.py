"""Evidence beside the choice: history buckets, prices of rules, figures of manifest and gates."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.choose.choice import Choice
from tasks.choose.choose import choose_blend
from tasks.choose.price import rules_of
from tasks.models.blend.settings import BlendSettings, Weights
from tasks.models.score_sum import sum_of
from tasks.recipe import Recipe
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run
from tests.tasks.choose.test_choose import SETTINGS, choose, recipe, taste_log
from tests.tasks.small_models import AS_OF, Problem, draw_links, make_log

CAPPED = TopNSettings(n=20, max_per_category=3)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Choice, dict[str, Any]]:
    """A choice where users keep to one category, of which the rule lets three items on a page."""
    run = Run("shop", 1, AS_OF, tmp_path_factory.mktemp("night"))
    items = {f"i{at:02}": {"category": f"c{at // 10}"} for at in range(60)}
    log = make_log(run, taste_log(np.random.default_rng(1)), items)
    whole = recipe()
    weighing = replace(whole.features, weights={"view": 1.0}, seen=())
    ruled = replace(CAPPED, explore_slots=3)
    choice = choose_blend(
        run, log, SETTINGS, replace(whole, features=weighing, topn=ruled), None
    )  # fmt: skip
    return choice, json.loads(choice.evidence.read_bytes())


def test_each_rule_has_its_price_on_the_judged_users(
    chosen: tuple[Choice, dict[str, Any]],
) -> None:
    choice, facts = chosen
    alone, category, every = facts["rules"]
    names = ["score alone", "category rule", "all rules: explore_slots"]
    assert [row["lists"] for row in facts["rules"]] == names
    assert set(alone["price"].values()) == set(alone["price_error"].values()) == {0.0}
    for part in ("by time", "last event"):
        assert alone["score_kept"][part] == 1.0
        assert 0 < category["score_kept"][part] < 1
        # Its second page gives places back to the category that the rule takes them from.
        assert category["score_kept"][part] < every["score_kept"][part] < 1
        # Candidates are judged by the category rule, along another path.
        assert choice.by_history or category["ndcg_at_10"][part] == choice.ndcg[part]
        assert alone["ndcg_at_10"][part] > category["ndcg_at_10"][part]
        for row in (category, every):
            change = row["ndcg_at_10"][part] - alone["ndcg_at_10"][part]
            assert row["price"][part] == pytest.approx(change)
            assert row["price_error"][part] > 0


@pytest.mark.parametrize("links", ["none", "signed"])
def test_sum_of_scores_is_that_of_each_place(links: str) -> None:
    rng = np.random.default_rng(5)
    users, items = (rng.standard_normal((n, 3)).astype(np.float32) for n in (4, 9))
    same, there = np.zeros(9, np.int32), np.ones(9, np.bool_)
    problem = Problem(users, items, same, there, [], **draw_links(rng, links, 4, 9))
    lists = np.array([[3, 1, -1], [-1, -1, -1], [8, 0, 2], [4, -1, -1]], np.int32)
    places = [(user, item) for user, listed in enumerate(lists) for item in listed if item >= 0]
    expected = sum(problem.score(user, item) for user, item in places)
    assert sum_of(problem.scoring, lists) == pytest.approx(expected)


def test_buckets_add_up_to_all(chosen: tuple[Choice, dict[str, Any]]) -> None:
    choice, facts = chosen
    assert not choice.by_history
    for part, n_users in choice.n_judged.items():
        rows = [row for row in facts["buckets"] if row["protocol"] == part]
        users = [row["users"] for row in rows]
        assert sum(users) == n_users
        for name, mean in (
            ("ndcg_at_10", choice.ndcg),
            ("popular_ndcg_at_10", choice.popular_ndcg),
        ):
            figures = [row[name] for row in rows]
            assert np.average(figures, weights=users) == pytest.approx(mean[part])


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (CAPPED, ["score alone", "category rule"]),
        (replace(CAPPED, rerank="none"), ["score alone"]),
        (replace(CAPPED, rerank="mmr"), ["score alone", "all rules: rerank"]),
        (
            replace(CAPPED, max_item_share=0.1, explore_slots=1),
            [
                *("score alone", "category rule", "max_item_share", "explore_slots"),
                "all rules: max_item_share, explore_slots",
            ],
        ),
    ],
)
def test_rules_in_force_are_named(settings: TopNSettings, names: list[str]) -> None:
    assert [name for name, _ in rules_of(settings)] == names


def test_a_rule_by_itself_is_on_top_of_the_category_rule() -> None:
    both = replace(CAPPED, max_item_share=0.1, explore_slots=1)
    found = dict(rules_of(both))
    assert found["max_item_share"] == replace(CAPPED, max_item_share=0.1)
    assert found["explore_slots"] == replace(CAPPED, explore_slots=1)
    varied = dict(rules_of(replace(CAPPED, rerank="mmr", explore_slots=1)))
    assert varied["rerank"] == replace(CAPPED, rerank="mmr")
    free = dict(rules_of(replace(CAPPED, rerank="none", max_item_share=0.1, explore_slots=1)))
    assert free["explore_slots"] == replace(CAPPED, rerank="none", explore_slots=1)


def test_the_night_before_is_named(tmp_path: Path, chosen: tuple[Choice, dict[str, Any]]) -> None:
    last, _ = chosen
    choice = choose(tmp_path, taste_log(np.random.default_rng(1)), last=last)
    assert choice.before == {"half_lives_days": last.spans, "weights": last.weights}
    assert choice.changed == (choice.candidate != last.candidate)


def test_manifest_and_gates_have_the_choice(chosen: tuple[Choice, dict[str, Any]]) -> None:
    choice, _ = chosen
    published = choice.published
    assert published
    assert (published.weights, published.held) == (choice.weights, False)
    assert published.half_lives_days == choice.spans
    ratios = [
        (choice.ndcg[part] + choice.ahead_error[part]) / choice.popular_ndcg[part]
        for part in choice.ndcg
    ]
    assert choice.figures == {
        "choice_ndcg_at_10": choice.ndcg["by time"],
        "choice_users": choice.n_judged["by time"],
        "choice_days": 5,
        "choice_over_popularity": min(ratios),
    }


def test_a_hold_publishes_the_settings_own_blend(tmp_path: Path) -> None:
    run = Run("shop", 1, AS_OF, tmp_path)
    log = make_log(run, taste_log(np.random.default_rng(1)), {})
    (parts,) = recipe().models.values()
    own = BlendSettings(by_history={"1": Weights(0.0, 0.0, 1.0)})
    held: Recipe = replace(recipe(), models={"blend": replace(parts, blend=own)})
    choice = choose_blend(run, log, replace(SETTINGS, hold=True), held, None)
    assert choice.figures == {}
    assert choice.published
    assert choice.published.held
    assert choice.published.by_history == {"1": [0.0, 0.0, 1.0]}
    assert json.loads(choice.evidence.read_bytes())["rules"] == []
    bare = replace(recipe(), models={"als": parts.train})
    assert choose_blend(run, log, SETTINGS, bare, None).published is None
