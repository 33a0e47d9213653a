"""New and cold items: planted nights with known figures."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.evaluation.backtest import evaluate
from tasks.evaluation.measure import measure
from tasks.evaluation.new_items import new_items, taken_since
from tasks.evaluation.past_run import past_night
from tasks.evaluation.settings import EvaluateSettings
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run
from tests.tasks.evaluation.test_backtest import RECIPE
from tests.tasks.small_models import AS_OF, Event, make_log, read_lists

DAY = timedelta(days=1)
CUT = AS_OF - 7 * DAY
ITEMS: dict[str, dict[str, Any]] = {
    **{f"old{at}": {"category": "a" if at < 6 else "b", "created_at": None} for at in range(12)},
    "cold-a": {"category": "a", "created_at": (CUT - DAY).replace(tzinfo=None)},
    "cold-b": {"category": "b", "created_at": (CUT - 99 * DAY).replace(tzinfo=None)},
    "gone": {"category": "b", "available": False},
    "unborn": {"category": "a", "created_at": (CUT + DAY).replace(tzinfo=None)},
    "blank": {"category": "unknown"},
}


def events() -> list[Event]:
    """Give users of a the items old0 to old5 less one each, users of b the others."""
    long_ago = CUT - 60 * DAY
    return [
        (f"{kind}{user}", f"old{at + first}", "view", long_ago)
        for kind, first in (("a", 0), ("b", 6))
        for user in range(6)
        for at in range(6)
        if at != user
    ]


def test_new_and_cold_items_are_counted_and_judged(tmp_path: Path) -> None:
    since: list[Event] = [
        ("a0", "cold-a", "view", AS_OF),
        ("a1", "cold-b", "view", AS_OF),
        ("b0", "unborn", "view", AS_OF),  # no list of the cut could hold it
        ("b1", "old6", "view", AS_OF),
    ]
    run = Run("shop", 1, AS_OF, tmp_path)
    log = make_log(run, events() + since, ITEMS)
    past = run.inside("backtest", CUT)
    recipe = replace(RECIPE, topn=TopNSettings(n=2, page_size=2, max_per_category=2))
    then = past_night(past, log, recipe)
    found = new_items(past, then.features, 28)
    names = found.ids.to_pylist()
    assert [name for name, flag in zip(names, found.new, strict=True) if flag] == ["cold-a"]
    assert [name for name, flag in zip(names, found.cold, strict=True) if flag] == [
        "cold-a",
        "cold-b",
    ]
    figures = measure(past, then, recipe.topn)
    assert (figures.n_new, figures.n_cold) == (1, 2)
    lists = {user: row["item_ids"] for user, row in read_lists(then.own.path).items()}
    places = [item for listed in lists.values() for item in listed]
    assert figures.cold_share == pytest.approx(sum("cold" in item for item in places) / len(places))
    assert figures.new_share == pytest.approx(places.count("cold-a") / len(places))
    assert figures.n_cold_shown == len({item for item in places if "cold" in item})

    judged = taken_since(past, then, log, recipe.features, found)
    hits = ["cold-a" in lists["a0"], "cold-b" in lists["a1"]]
    assert judged["n_users"] == 2
    assert judged["hit_rate"] == sum(hits) / 2
    assert judged["popular_hit_rate"] == 0.0
    assert judged["chance"] == pytest.approx(2 / then.features.n_items)
    quality = evaluate(run, log, EvaluateSettings(backtest_days=7), recipe)
    assert quality.new_items == judged
