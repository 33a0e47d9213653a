"""Whole evaluations: planted logs whose best model is known, and no leak from what is held out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from tasks.errors import NothingToLearn, SettingsError
from tasks.evaluation.compare.evaluate_log import Plan, evaluate_log, finish, plan_of
from tasks.evaluation.compare.figures import NDCG
from tasks.evaluation.compare.judge import panel_of, scorings_of
from tasks.evaluation.compare.results import Evaluation
from tasks.evaluation.compare.rules import CATEGORY_CAP, SCORE, rules_of
from tasks.evaluation.compare.tables import tables_of, to_markdown
from tasks.evaluation.judged_lists import model_lists, popular_lists
from tasks.pipeline import Pipeline
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run
from tests.tasks.evaluation.test_backtest import CUT, DAY, DAYS, RECIPE, planted, random_log
from tests.tasks.evaluation.test_protocols import (
    poisoned_by_time,
    poisoned_last,
    relevant_by_time,
    split_of,
)
from tests.tasks.small_models import AS_OF, Event, make_log

PLAN = Plan(days=DAYS)


def evaluated(root: Path, events: list[Event], plan: Plan = PLAN, **listing: Any) -> Evaluation:
    run = Run("shop", 1, AS_OF, root)
    names = sorted({item for _, item, _, _ in events})
    items = {name: {"category": f"c{at % 3}"} for at, name in enumerate(names)}
    segments = {user: f"s{user[-1]}" for user, *_ in events}
    log = make_log(run, events, items, segments)
    recipe = replace(RECIPE, topn=replace(RECIPE.topn, **listing))
    return evaluate_log(run, log, recipe, plan)


def of(found: Evaluation, protocol: int, model: str, rule: str = SCORE) -> float:
    mean = found.judgements[protocol].row(model, rule).figures[NDCG].mean
    assert mean is not None
    return mean


def test_als_is_best_where_taste_decides(tmp_path: Path) -> None:
    found = evaluated(tmp_path, planted())
    assert [each.protocol for each in found.judgements] == [
        *("by-time", "last-event", "one-against-99")
    ]
    for protocol in range(2):
        assert of(found, protocol, "als") == 1.0
        assert of(found, protocol, "popular") < 0.2
        row = found.judgements[protocol].row("als", SCORE)
        assert row.over_popular.low is not None
        assert row.over_popular.low > 0.7
    assert of(found, 2, "als") == 1.0
    assert not (tmp_path / "shop/1/by_time").exists()
    assert not (tmp_path / "shop/1/last_event").exists()


def fashion() -> list[Event]:
    """Let 60 users take the same five items, and 60 others private ones, then the five."""
    hot = [f"hot{at}" for at in range(5)]
    events = [(f"a{n:02}", item, "view", CUT - DAY) for n in range(60) for item in hot]
    for n in range(60):
        events += [(f"b{n:02}", f"own{n:02}{at}", "view", CUT - DAY) for at in range(2)]
        events += [(f"b{n:02}", item, "view", AS_OF - DAY) for item in hot]
    return events


def test_popular_is_best_where_everybody_takes_the_same(tmp_path: Path) -> None:
    found = evaluated(tmp_path, fashion(), Plan(("by-time",), DAYS))
    assert of(found, 0, "popular") == pytest.approx(1.0, abs=0.02)
    assert of(found, 0, "als") < 0.9
    high = found.judgements[0].row("als", SCORE).over_popular.high
    assert high is not None
    assert high < 0


def test_the_price_of_a_rule_is_the_difference_to_score_alone(tmp_path: Path) -> None:
    plan = Plan(("by-time",), DAYS, every_rule=True)
    found = evaluated(tmp_path, planted(), plan, n=6, page_size=6, max_per_category=1)
    (judged,) = found.judgements
    rules = [row.rule for row in judged.rows if row.model == "als"]
    assert rules == [SCORE, CATEGORY_CAP, "mmr", "exposure cap 10 %", "explore 1"]
    for row in judged.rows:
        price = row.figures[NDCG].mean - of(found, 0, row.model)  # type: ignore[operator]
        assert row.price.mean == pytest.approx(price)
    capped = judged.row("als", CATEGORY_CAP)
    assert capped.served
    assert judged.served("als") is capped
    assert capped.figures["diversity"].mean == pytest.approx(1.0)
    assert capped.price.mean is not None
    assert capped.price.mean <= 0
    assert judged.row("als", SCORE).price.mean == 0


def test_groups_add_up_to_all_users(tmp_path: Path) -> None:
    for judged in evaluated(tmp_path, random_log(0), n=5).judgements:
        for row in judged.rows:
            for groups in (row.buckets, row.segments):
                parts = [group[NDCG] for group in groups.values() if group[NDCG].n_users]
                assert sum(part.n_users for part in parts) == judged.n_users
                total = sum((part.mean or 0.0) * part.n_users for part in parts)
                assert total / judged.n_users == pytest.approx(row.figures[NDCG].mean)


@pytest.mark.parametrize(
    ("protocol", "poison"), [("by_time", poisoned_by_time), ("last_event", poisoned_last)]
)
def test_nothing_held_out_changes_a_list(
    tmp_path: Path, protocol: str, poison: Callable[[list[Event]], list[Event]]
) -> None:
    rules = rules_of(TopNSettings(n=8, page_size=4, max_per_category=2))

    def lists(name: str, events: list[Event]) -> dict[str, list[bytes]]:
        split = split_of(tmp_path / name, events, protocol)
        pipeline = Pipeline(split.run, split.known, RECIPE)
        features = pipeline.features()
        models = pipeline.models(features, pipeline.popularity(), warm=False)
        audience = panel_of(split, features, RECIPE, seed=1).audience
        found = [popular_lists(audience, rule) for rule in rules.values()]
        for _, scoring in scorings_of(models):
            found += [model_lists(audience, scoring, rule) for rule in rules.values()]
        users = audience.user_ids.to_pylist()
        return {user: [each[row].tobytes() for each in found] for row, user in enumerate(users)}

    events = random_log(1)
    before, after = lists("clean", events), lists("poisoned", poison(events))
    both = before.keys() & after.keys()
    assert len(both) >= 15
    assert {user: before[user] for user in both} == {user: after[user] for user in both}
    seen = lists("seen", [*events, ("u00", "i29", "purchase", CUT - 30 * DAY)])
    assert {user: before[user] for user in both} != {user: seen[user] for user in both}


def test_equal_evaluations_write_equal_files(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        found = evaluated(tmp_path / name, random_log(2), n=5)
        run = Run("shop", 1, AS_OF, tmp_path / name)
        finish(run, found)
        kept = {path.name for path in run.folder.iterdir() if path.name != "steps.jsonl"}
        assert kept == {"evaluation.json", "evaluation.md"}
        pages.append([run.path(each).read_bytes() for each in sorted(kept)])
    assert pages[0] == pages[1]
    document = json.loads(pages[0][0])
    assert document == orjson.loads(found.to_json())
    ndcg = document["judgements"][0]["rows"][0]["figures"][NDCG]
    assert ndcg.keys() == {"mean", "low", "high", "n_users"}
    assert "| als | category cap * |" in to_markdown(found)


def test_tables_have_a_row_for_each_model_and_rule_and_each_group(tmp_path: Path) -> None:
    found = evaluated(tmp_path, random_log(0), n=5)
    relevant = relevant_by_time(random_log(0))
    by_title = {table.title: table for table in tables_of(found)}
    rules = by_title["By time"]
    assert [row[:2] for row in rules.rows] == [
        ["popular", SCORE],
        ["popular", "category cap *"],
        ["als", SCORE],
        ["als", "category cap *"],
    ]
    assert all(len(row) == len(rules.heads) for row in rules.rows)
    assert {row[0] for row in by_title["Last event, by history"].rows} <= set(
        found.judgements[1].rows[0].buckets
    )
    assert len(by_title["By time, by segment"].rows) == len({u[-1] for u in relevant}) > 5
    assert [len(row) for row in by_title["One against 99"].rows] == [8, 8]


def test_nobody_to_judge_by_and_nothing_to_learn_from_are_said(tmp_path: Path) -> None:
    old = [("u", "a", "view", CUT - DAY), ("u", "b", "view", CUT - DAY)]
    with pytest.raises(SettingsError, match=r"nobody took to a new item in the last 7 days.*02-21"):
        evaluated(tmp_path / "old", old)
    with pytest.raises(SettingsError, match="two different items"):
        evaluated(tmp_path / "one", [("u", "a", "view", CUT)], Plan(("last-event",)))
    with pytest.raises(NothingToLearn):
        evaluated(tmp_path / "young", [("u", "a", "view", AS_OF - DAY)])
    with pytest.raises(SettingsError, match="no protocol is named later; there are by-time"):
        plan_of(["later"], 7, 1, 1, every_rule=False)
