"""Lists of days ago against what followed: planted logs, a plain definition, nothing leaks back."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.artifacts.records import CleanLog
from tasks.evaluation import backtest as module
from tasks.evaluation.backtest import Quality, evaluate
from tasks.evaluation.past_run import past_night
from tasks.evaluation.settings import EvaluateSettings
from tasks.models.als.settings import TrainSettings
from tasks.recipe import Recipe
from tasks.recommend.settings import PopularitySettings, TopNSettings
from tasks.runs.resume import adopt
from tasks.runs.run_folder import Run
from tests.tasks.evaluation.test_ranking_metrics import defined
from tests.tasks.small_models import AS_OF, Event, make_log, read_lists, weighing

Item = dict[str, Any]

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
DAYS = 7
CUT = AS_OF - DAYS * DAY
BEFORE = CUT - MOMENT
WEIGHTS = {"view": 1.0, "purchase": 5.0, "return": -5.0}
RECIPE = Recipe(
    features=weighing(("purchase", "return"), WEIGHTS),
    models={"als": TrainSettings(factors=16, iterations=10)},
    popular_half_life_days=60.0,
    topn=TopNSettings(n=12, max_per_category=10),
    popularity=PopularitySettings(),
    similar=None,
)
BLOCKS, SIZE, USERS = 10, 8, 160


@dataclass(frozen=True)
class Night:
    """A night up to its clean log."""

    run: Run
    log: CleanLog
    events: list[Event]

    def judged(self, recipe: Recipe = RECIPE, days: int = DAYS) -> Quality:
        return evaluate(self.run, self.log, EvaluateSettings(days), recipe)


def night_of(root: Path, events: list[Event], generation: int = 1) -> Night:
    run = Run("shop", generation, AS_OF, root)
    names = sorted({item for _, item, _, _ in events})
    items = {name: {"category": f"c{at % 3}"} for at, name in enumerate(names)}
    return Night(run, make_log(run, events, items), events)


def planted(*, shuffled: bool = False) -> list[Event]:
    """Let each user buy a block of items but for one, which follows after the cut.

    Shuffled, it is somebody else's who had what it follows from.
    """
    others = np.random.default_rng(0).permutation(USERS)
    events: list[Event] = []
    for user in range(USERS):
        last = user // BLOCKS % SIZE
        for at in range(SIZE):
            if at != last:
                events.append((f"u{user:03}", f"i{user % BLOCKS}{at}", "purchase", CUT - 9 * DAY))
        who = others[user] if shuffled else user
        events.append((f"u{who:03}", f"i{user % BLOCKS}{last}", "purchase", AS_OF - 2 * DAY))
    return events


def random_log(seed: int) -> list[Event]:
    """Let 40 users do whatever with 30 items, on both sides of the cut and on it."""
    rng = np.random.default_rng(seed)
    times = [*(CUT - n * DAY for n in range(1, 20)), BEFORE, CUT, CUT + 3 * DAY, AS_OF - MOMENT]
    return [
        (
            f"u{rng.integers(40):02}",
            f"i{int(30 * rng.random() ** 2):02}",
            str(rng.choice(["view", "purchase", "return", "look"])),
            times[rng.integers(len(times))],
        )
        for _ in range(600)
    ]


def test_what_can_be_predicted_is(tmp_path: Path) -> None:
    quality = night_of(tmp_path, planted()).judged()
    assert (quality.n_users, quality.n_relevant) == (USERS, USERS)
    assert quality.lists == dict.fromkeys(quality.lists, 1.0)
    assert quality.ndcg_error == 0
    assert quality.popularity["ndcg_at_10"] < 0.2


def test_what_follows_no_taste_is_predicted_no_better_than_by_popularity(tmp_path: Path) -> None:
    quality = night_of(tmp_path, planted(shuffled=True)).judged()
    chance = 10 / (BLOCKS * SIZE - SIZE + 1)
    for rule in (quality.lists, quality.popularity):
        assert rule["hit_rate_at_10"] == pytest.approx(chance, abs=0.1)
    difference = quality.lists["ndcg_at_10"] - quality.popularity["ndcg_at_10"]
    assert abs(difference) < 3 * quality.ndcg_error


def by_definition(night: Night, recipe: Recipe) -> dict[str, dict[str, float]]:
    """Judge the past night's files with sets and loops."""
    then = past_night(night.run.inside("again", CUT), night.log, recipe)
    lists, popular = read_lists(then.own.path), read_lists(then.popular.path)["all"]["item_ids"]
    seen, took = defaultdict(set), defaultdict(set)
    for user, item, kind, ts in night.events:
        if ts < CUT and kind in recipe.features.seen:
            seen[user].add(item)
        if ts >= CUT and recipe.features.weights.get(kind, 0) > 0:
            took[user].add(item)
    relevant = {user: took[user] - seen[user] for user in lists if took[user] - seen[user]}
    shown = {
        "lists": {user: lists[user]["item_ids"] for user in relevant},
        "popularity": {
            user: [item for item in popular if item not in seen[user]] for user in relevant
        },
    }
    found: dict[str, dict[str, float]] = {}
    for rule, offered in shown.items():
        found[rule] = {
            f"{name}_at_{k}": float(
                np.mean([defined(offered[user], relevant[user], k)[name] for user in relevant])
            )
            for k in (10, recipe.topn.n)
            for name in ("ndcg", "recall", "hit_rate", "reciprocal_rank", "average_precision")
        }
    found["counts"] = {"users": len(relevant), "items": sum(map(len, relevant.values()))}
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [4, 12])
def test_figures_are_those_of_the_definition(tmp_path: Path, seed: int, n: int) -> None:
    recipe = replace(RECIPE, topn=TopNSettings(n=n, page_size=4, max_per_category=2))
    night = night_of(tmp_path, random_log(seed))
    quality, expected = night.judged(recipe), by_definition(night, recipe)
    assert quality.lists == pytest.approx(expected["lists"])
    assert quality.popularity == pytest.approx(expected["popularity"])
    assert {"users": quality.n_users, "items": quality.n_relevant} == expected["counts"]
    assert quality.lists != quality.popularity
    assert quality.plain == {}


def files_of(root: Path, events: list[Event], items: Mapping[str, Item]) -> dict[str, bytes]:
    run = Run("shop", 1, AS_OF, root)
    past = run.inside("backtest", CUT)
    past_night(past, make_log(run, events, items), RECIPE)
    found = (path for path in past.folder.rglob("*") if path.suffix in (".parquet", ".npz"))
    return {str(path.relative_to(past.folder)): path.read_bytes() for path in found}


def test_nothing_after_the_cut_changes_a_byte_of_the_past_night(tmp_path: Path) -> None:
    events = [each for each in random_log(1) if each[3] < CUT]
    items: dict[str, Item] = {f"i{at:02}": {"category": "c"} for at in range(30)}
    poison = [
        (f"u{at % 50:02}", f"i{at % 30:02}", kind, CUT + at * MOMENT)
        for at in range(400)
        for kind in ("purchase", "return")
    ]
    before = files_of(tmp_path / "clean", events, items)
    assert {"log/events.parquet", "model/als/user_factors.parquet", "lists/lists.parquet"} < set(
        before
    )
    assert files_of(tmp_path / "poisoned", poison + events, items) == before
    just_before = [("u00", "i00", "purchase", BEFORE)]
    assert files_of(tmp_path / "seen", events + just_before, items) != before


def test_an_item_of_after_the_cut_is_not_to_be_had_then(tmp_path: Path) -> None:
    run = Run("shop", 1, AS_OF, tmp_path)
    ages = {"old": CUT, "new": CUT + MOMENT, "ageless": None}
    items = {
        name: {"category": "c", "created_at": at and at.replace(tzinfo=None)}
        for name, at in ages.items()
    }
    log = make_log(run, [("u", name, "view", CUT - DAY) for name in ages], items)
    then = past_night(run.inside("backtest", CUT), log, RECIPE)
    assert set(read_lists(then.own.path)["u"]["item_ids"]) == {"old", "ageless"}


@pytest.mark.parametrize(
    "events",
    [
        [("u", "a", "view", CUT)],  # nothing to learn from by then
        [("u", "a", "view", BEFORE)],  # nothing since
        [("u", "a", "view", BEFORE), ("stranger", "b", "view", CUT)],  # nobody with a list since
        [("u", "a", "view", BEFORE), ("u", "b", "return", CUT)],  # nothing liked since
    ],
)
def test_with_nobody_to_judge_by_there_are_no_figures(tmp_path: Path, events: list[Event]) -> None:
    quality = night_of(tmp_path, events).judged()
    assert quality == Quality(DAYS, CUT.isoformat(), quality.path)
    assert json.loads(quality.path.read_text())["n_users"] == 0


def test_one_step_and_two_small_files_are_left(tmp_path: Path) -> None:
    night = night_of(tmp_path, random_log(2))
    before = {path: path.read_bytes() for path in night.run.folder.iterdir()}
    quality = night.judged()
    kept = {path.relative_to(night.run.folder).as_posix() for path in quality.path.parent.iterdir()}
    assert kept == {"backtest/quality.json", "backtest/steps.jsonl"}
    assert all(path.read_bytes() == content for path, content in before.items())
    assert [line["step"] for line in night.run.steps()] == ["evaluate"]
    inner = night.run.inside("backtest", CUT)
    assert [line["step"] for line in inner.steps()] == [
        *("build_features", "count_popularity", "train_als", "top_n", "popular_lists")
    ]
    facts = json.loads(quality.path.read_text())
    assert facts == {name: value for name, value in vars(quality).items() if name != "path"}


def test_equal_nights_have_equal_figures_to_the_byte(tmp_path: Path) -> None:
    one, two = (night_of(tmp_path / name, random_log(0)).judged() for name in ("one", "two"))
    assert one.path.read_bytes() == two.path.read_bytes()


def test_a_rerun_takes_the_figures_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = night_of(tmp_path, random_log(0))
    quality = first.judged()
    again = night_of(tmp_path, random_log(0), generation=2)
    assert adopt(again.run, first.run) == 1
    monkeypatch.setattr(module, "past_night", None)  # to call it would fail
    taken = again.judged()
    assert taken == replace(quality, path=again.run.folder / "backtest/quality.json")
    assert taken.path.read_bytes() == quality.path.read_bytes()


def test_what_a_rule_costs_is_told_beside_the_lists_without_it(tmp_path: Path) -> None:
    ruled = replace(RECIPE, topn=TopNSettings(n=6, max_per_category=1, rerank="none"))
    bare = replace(RECIPE, topn=ruled.topn.plain)
    assert bare.topn == TopNSettings(n=6, max_per_category=1)
    with_rule = night_of(tmp_path / "ruled", random_log(1)).judged(ruled)
    without = night_of(tmp_path / "bare", random_log(1)).judged(bare)
    assert with_rule.plain == without.lists != with_rule.lists
    assert without.plain == {}
    assert not (tmp_path / "ruled/shop/1/backtest/plain").exists()
