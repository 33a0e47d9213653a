"""Models beside the default: judged by the gates of lists, left out where one blocks."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from nightshelf.admin import generations
from tasks.artifacts.records import Provenance
from tasks.evaluation.further_models import LIST_GATES, FurtherModels, judge_further
from tasks.evaluation.settings import GateSettings
from tasks.pipeline import Pipeline
from tasks.publish.go_live import flip
from tasks.publish.keyspace import families
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import stage
from tasks.recommend.settings import TopNSettings
from tasks.settings import Settings
from tests.tasks.small_models import AS_OF, Learnt, learn

EVENTS = [(f"u{at % 9}", f"i{(at * at) % 23}", "view", AS_OF) for at in range(90)]
ITEMS = {f"i{at}": {"category": f"c{at % 5}"} for at in range(23)}
LISTING = TopNSettings(n=5, page_size=5, max_per_category=2)
OPEN = GateSettings(full_share_min=0, own_share_min=0, filled_share_min=0, coverage_min=0)


def night(root: Path) -> Learnt:
    return learn(root, EVENTS, ITEMS)


def judged(night: Learnt, client: Redis, gates: GateSettings = OPEN) -> FurtherModels:
    """Make a night with two further models and judge them."""
    recipe = replace(Settings().recipe_with(["als", "popular"]), topn=LISTING)
    made = Pipeline(night.run, night.log, recipe).whole()
    assert list(made.further) == ["als", "popular"]
    return judge_further(night.run, client, made, LISTING, gates)


def names(found: FurtherModels) -> list[str]:
    return [each.name for each in found.judged]


def test_each_model_has_its_own_figures(redis_client: Redis, tmp_path: Path) -> None:
    found = judged(night(tmp_path), redis_client)
    assert (names(found), found.left_out) == (["als", "popular"], {})
    als, popular = (each.metrics for each in found.judged)
    assert als.n_lists == popular.n_lists
    assert als.personalisation != popular.personalisation
    assert als.curves.parent != popular.curves.parent
    assert found.figures["als:coverage"] == als.coverage
    assert found.figures["models_left_out"] == 0
    assert {gate.name for gate in found.judged[0].verdict.gates} == set(LIST_GATES)


def test_a_model_that_a_gate_blocks_is_left_out(redis_client: Redis, tmp_path: Path) -> None:
    whole = judged(night(tmp_path / "whole"), redis_client)
    coverage = {each.name: each.metrics.coverage for each in whole.judged}
    assert coverage["popular"] < coverage["als"]
    between = replace(OPEN, coverage_min=sum(coverage.values()) / 2)
    found = judged(night(tmp_path / "one"), redis_client, between)
    assert names(found) == ["als"]
    assert "some list shows" in found.left_out["popular"]
    assert found.figures["models_left_out"] == 1
    assert found.warnings[0].startswith(
        "model popular is left out tonight, and the default is served for it: Available"
    )


def test_a_model_is_compared_with_its_own_live_lists(redis_client: Redis, tmp_path: Path) -> None:
    first = night(tmp_path)
    recipe = replace(Settings().recipe_with(["als"]), topn=LISTING)
    made = Pipeline(first.run, first.log, recipe).whole()
    shelves = families(first.run, made.files)
    stage(first.run, redis_client, shelves, PublishSettings(), Provenance(5, ""))
    staged = generations.listing(redis_client, "shop")[0]
    assert staged.models == ("blend", "als")
    generations.stage(
        redis_client, "shop", replace(staged, metrics={"als:lists": 18.0, "lists": 1.0})
    )
    flip(first.run, redis_client)

    second = learn(tmp_path, EVENTS, ITEMS, generation=2)
    found = judged(second, redis_client, replace(OPEN, lists_ratio_min=0.4))
    gates = {gate.name: gate.value for gate in found.judged[0].verdict.gates}
    assert gates["jaccard"] == 1.0, "the same lists as last night"
    assert gates["lists_ratio"] == pytest.approx(9 / 18)
    gates = {gate.name: gate.value for gate in found.judged[1].verdict.gates}
    assert gates["jaccard"] is gates["lists_ratio"] is None, "it was not published last night"


def test_a_model_that_failed_before_is_named(redis_client: Redis, tmp_path: Path) -> None:
    first = night(tmp_path)
    made = Pipeline(first.run, first.log, replace(Settings().recipe, topn=LISTING)).whole()
    failed = made.without({"als": "ModelError: not finite"})
    found = judge_further(first.run, redis_client, failed, LISTING, OPEN)
    assert found.left_out == {"als": "ModelError: not finite"}
    assert json.dumps(found.figures) == '{"models_left_out": 1}'
