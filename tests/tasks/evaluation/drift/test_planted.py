"""Planted faults show as drift, and quiet nights do not: whole nights of a small log."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nightshelf.contract.values import Manifest
from tasks.evaluation.backtest import Quality
from tasks.evaluation.drift.compare import LEAST_USUAL, Drift, measure_drift, ndcg_trend
from tasks.evaluation.drift.trailing import trailing_nights
from tasks.evaluation.measure import measure
from tasks.evaluation.settings import EvaluateSettings, GateSettings
from tasks.features.settings import FeatureSettings
from tasks.models.als.settings import TrainSettings
from tasks.pipeline import Pipeline
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tests.tasks.small_models import AS_OF, Event, make_log

DAY = timedelta(days=1)
RECIPE = Settings(
    features=FeatureSettings(weights={"view": 1.0, "purchase": 5.0}, seen=("purchase",)),
    train=TrainSettings(factors=8, iterations=3),
    topn=TopNSettings(n=10, page_size=10, max_per_category=5),
).recipe
N_USERS, N_ITEMS, N_DAYS = 250, 120, 40
Items = dict[str, dict[str, Any]]
Fault = Callable[[list[Event], Items], tuple[list[Event], Items]]
LIMITS = GateSettings()


def make_events() -> list[Event]:
    """Forty days of views and purchases of items that are popular by rank."""
    rng = np.random.default_rng(3)
    chance = 1 / np.arange(1, N_ITEMS + 1)
    n = 16_000
    users = (N_USERS * rng.random(n) ** 1.5).astype(int)
    items = rng.choice(N_ITEMS, n, p=chance / chance.sum())
    kinds = np.where(rng.random(n) < 0.15, "purchase", "view")
    hours = np.sort(rng.random(n) * 24 * N_DAYS)
    start = AS_OF - (N_DAYS - 4) * DAY
    return [
        (f"u{user}", f"i{item:03}", str(kind), start + timedelta(hours=float(hour)))
        for user, item, kind, hour in zip(users, items, kinds, hours, strict=True)
    ]


EVENTS = make_events()
ITEMS: Items = {
    f"i{n:03}": {"category": f"c{n % 5}", "created_at": AS_OF.replace(tzinfo=None) - 90 * DAY}
    for n in range(N_ITEMS)
}


def quiet(events: list[Event], items: Items) -> tuple[list[Event], Items]:
    """Change nothing."""
    return events, items


def half_of_the_purchases(events: list[Event], items: Items) -> tuple[list[Event], Items]:
    """Lose every other purchase."""
    kept = [event for n, event in enumerate(events) if event[2] == "view" or n % 2]
    return kept, items


def half_the_catalogue(events: list[Event], items: Items) -> tuple[list[Event], Items]:
    """Mark every other item as not available."""
    return events, {
        item: given | {"available": n % 2 == 0} for n, (item, given) in enumerate(items.items())
    }


def flood(events: list[Event], items: Items) -> tuple[list[Event], Items]:
    """Have five users view one rare item 2,000 times in two days."""
    last = max(event[3] for event in events)
    return events + [
        (f"u{n % 5}", "i070", "view", last - n * DAY / 1_000) for n in range(2_000)
    ], items


def make_night(root: Path, day: int, fault: Fault = quiet) -> tuple[Run, Path]:
    """Compute the night of a day, its gates passed; return it with its histograms."""
    run = Run("shop", day + 1, AS_OF + day * DAY, root)
    events, items = fault([event for event in EVENTS if event[3] <= run.as_of], ITEMS)
    log = make_log(run, events, items)
    made = Pipeline(run, log, replace(RECIPE, similar=None)).whole()
    path = measure(run, made, RECIPE.topn).distributions
    manifest = Manifest(
        run.generation, run.as_of.isoformat(), digest="d", gates={"lists_ratio": "pass"}
    )
    run.path("manifest.json").write_bytes(manifest.to_json())
    return run, path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three quiet nights."""
    root = tmp_path_factory.mktemp("runs")
    for day in range(3):
        make_night(root, day)
    return root


def drift_of(root: Path, fault: Fault) -> Drift:
    run, path = make_night(root, 3, fault)
    return measure_drift(run, path, None, EvaluateSettings())


def test_a_quiet_night_does_not_drift(root: Path) -> None:
    drift = drift_of(root, quiet)
    assert drift.nights == (1, 2, 3)
    assert {shift.name for shift in drift.features} >= {"events_a_user", "items_available"}
    assert len(drift.lists) == 5
    assert max(shift.ratio for shift in (*drift.features, *drift.lists)) < LIMITS.list_drift_max


@pytest.mark.parametrize(
    ("fault", "shows", "moved"),
    [
        (half_of_the_purchases, "recent_events_a_user:purchase", "0"),
        (half_the_catalogue, "items_available", "not available"),
        (flood, "recent_events_by_item_rank", "1"),
    ],
)
def test_a_fault_shows_and_is_named(root: Path, fault: Fault, shows: str, moved: str) -> None:
    drift = drift_of(root, fault)
    worst = drift.worst("features")
    assert worst is not None
    assert worst.ratio > LIMITS.feature_drift_max
    assert (worst.name, worst.moved) == (shows, moved)


def test_lists_that_show_other_items_drift(root: Path) -> None:
    quiet_lists, lists = (
        {shift.name: shift.psi for shift in drift_of(root, fault).lists}
        for fault in (quiet, half_the_catalogue)
    )
    assert lists["shown_by_popularity"] > 10 * quiet_lists["shown_by_popularity"]


def test_the_usual_is_that_of_nights_that_did_not_warn(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "shop", tmp_path / "shop")
    for generation, psi, outcome in ((1, 0.04, "pass"), (2, 0.9, "warn"), (3, 0.01, "pass")):
        folder = tmp_path / "shop" / str(generation)
        noted = {"name": "events_a_user", "psi": psi}
        folder.joinpath("drift.json").write_text(json.dumps({"features": [noted], "lists": []}))
        manifest = Manifest.from_json(folder.joinpath("manifest.json").read_bytes())
        judged = replace(manifest, gates={"feature_drift": outcome})
        folder.joinpath("manifest.json").write_bytes(judged.to_json())
    found = {shift.name: shift for shift in drift_of(tmp_path, quiet).features}
    shift = found.pop("events_a_user")
    assert (shift.past, shift.usual) == ((0.04, 0.9, 0.01), 0.04)
    assert {other.usual for other in found.values()} == {LEAST_USUAL}


def test_the_first_nights_have_nothing_to_compare_with(root: Path, tmp_path: Path) -> None:
    for day in range(3):
        run, path = make_night(tmp_path, day)
        drift = measure_drift(run, path, None, EvaluateSettings())
        assert (drift.features, drift.lists, drift.ndcg_trend) == ((), (), None)
        assert len(drift.nights) == day
    run, path = make_night(root, 3)
    assert measure_drift(run, path, None, EvaluateSettings(drift_nights=0)).nights == ()


def test_the_index_of_the_nights_before_goes_along(root: Path) -> None:
    first = drift_of(root, quiet)
    run, path = make_night(root, 4)
    second = measure_drift(run, path, None, EvaluateSettings())
    assert second.nights == (1, 2, 3, 4)
    past = {shift.name: shift.past for shift in (*second.features, *second.lists)}
    assert past == {shift.name: (shift.psi,) for shift in (*first.features, *first.lists)}


def test_only_nights_that_passed_and_are_earlier_count_one_an_as_of(tmp_path: Path) -> None:
    def save(generation: int, day: int, outcome: str) -> None:
        run = Run("shop", generation, AS_OF + day * DAY, tmp_path)
        gates = {"lists_ratio": outcome} if outcome else {}
        manifest = Manifest(generation, run.as_of.isoformat(), digest="d", gates=gates)
        run.path("manifest.json").write_bytes(manifest.to_json())

    for generation, day, outcome in (
        *((1, 0, "pass"), (2, 1, "warn"), (3, 2, "block"), (4, 3, ""), (5, 0, "pass")),
        *((6, 4, "pass"), (7, 6, "pass"), (8, 5, "pass"), (10, 5, "pass")),
    ):
        save(generation, day, outcome)
    tonight = Run("shop", 9, AS_OF + 5 * DAY, tmp_path)
    found = [night.run.generation for night in trailing_nights(tonight, 7)]
    assert found == [5, 2, 6], "the newest of a day; none blocked, unjudged, of tonight or later"
    assert [night.run.generation for night in trailing_nights(tonight, 2)] == [2, 6]


def quality(ndcg: float, error: float = 0.004) -> Quality:
    lists = {"ndcg_at_10": ndcg}
    return Quality(7, "2026-02-22T00:00:00+00:00", Path(), 500, 900, lists, ndcg_error=error)


BEFORE = [{"ndcg_at_10": ndcg, "backtest_days": 7.0} for ndcg in (0.10, 0.08, 0.12, 0.30, 0.09)]


@pytest.mark.parametrize(
    ("ndcg", "trend"),
    [(0.10, 1.08), (0.092, 1.0), (0.087, 0.95), (0.086, 0.94), (0.05, 0.58), (0.2, 2.08)],
)
def test_offline_quality_warns_below_the_median_and_beyond_noise(ndcg: float, trend: float) -> None:
    middle, found = ndcg_trend(quality(ndcg), BEFORE)
    assert middle == 0.10
    assert found == pytest.approx(trend)


@pytest.mark.parametrize(
    ("tonight", "before"),
    [
        (None, BEFORE),
        (Quality(7, "", Path()), BEFORE),  # nobody to judge by
        (quality(0.1), BEFORE[:2]),
        (quality(0.1), [night | {"backtest_days": 3.0} for night in BEFORE]),
        (quality(0.1), [{}] * 9),
        (quality(0.1), [night | {"ndcg_at_10": 0.0} for night in BEFORE]),
    ],
)
def test_without_three_like_nights_offline_quality_has_no_trend(
    tonight: Quality | None, before: list[dict[str, float]]
) -> None:
    assert ndcg_trend(tonight, before) == (None, None)
