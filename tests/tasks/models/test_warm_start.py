"""The start of training, by folders of nights."""

import json
import shutil
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nightshelf.contract.values import Manifest
from tasks.artifacts.factors import load_factors
from tasks.evaluation.gates import Gate, Verdict
from tasks.models import registry
from tasks.models.als.settings import TrainSettings
from tasks.models.base import Start
from tasks.models.registry import train_als
from tasks.runs.run_folder import Run
from tests.tasks.small_models import AS_OF, Event, Learnt, learn

SETTINGS = TrainSettings(factors=8, iterations=40, warm_iterations=2, cold_every=3)
TONIGHT = AS_OF + timedelta(days=30)


def taste(root: Path, generation: int, new: str = "") -> Learnt:
    """Learn from 30 users of two tastes; `new` names a user and an item more."""
    rng = np.random.default_rng(1)
    items = {f"i{number:02}": {"category": "any"} for number in range(40)}
    events: list[Event] = [
        (f"u{user:02}", f"i{item:02}", "view", AS_OF - timedelta(days=1))
        for user in range(30)
        for item in range(user % 2, 40, 2)
        if rng.random() < 0.5
    ]
    if new:
        items |= {new: {"category": "any"}}
        events += [(new, item, "view", AS_OF - timedelta(days=1)) for item in (new, "i00", "i02")]
    return learn(root, events, items, generation=generation)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train once; the folders of other nights are copies."""
    night = taste(tmp_path_factory.mktemp("trained"), 1)
    return train_als(night.run, night.features, SETTINGS).settings.parent


def leave(
    root: Path,
    model: Path,
    generation: int,
    as_of: datetime,
    *,
    settings: TrainSettings = SETTINGS,
    start: Start | None = None,
    ndcg: float | None = None,
    outcome: str = "pass",
) -> None:
    """Leave a finished night's folder behind."""
    run = Run("shop", generation, as_of, root)
    shutil.copytree(model, run.path("model/als"))
    run.path("model/als/settings.json").write_text(json.dumps(asdict(settings)))
    if start:
        run.path("model/als/start.json").write_text(json.dumps({"n_warm": start.n_warm}))
    gate = Gate("ndcg_ratio", ndcg, "", outcome, "")  # type: ignore[arg-type]
    run.path("gates.json").write_text(Verdict((gate,)).to_json())
    manifest = Manifest(generation, as_of.isoformat(), digest="d", gates={gate.name: gate.outcome})
    run.path("manifest.json").write_bytes(manifest.to_json())


def start_of(root: Path, settings: TrainSettings = SETTINGS, *bad: int) -> int | None:
    start = registry.start_of("als", Run("shop", 99, TONIGHT, root), settings, bad)
    return start.generation if start else None


def test_a_night_starts_from_the_latest_before_it_whatever_its_number(
    tmp_path: Path, trained: Path
) -> None:
    assert start_of(tmp_path) is None
    for generation, days in ((1, 3), (2, 1), (3, 2), (4, 0), (5, -1)):
        leave(tmp_path, trained, generation, TONIGHT - timedelta(days=days))
    assert start_of(tmp_path) == 2
    assert start_of(tmp_path, SETTINGS, 2) == 3
    assert start_of(tmp_path, replace(SETTINGS, warm_iterations=0)) is None


@pytest.mark.parametrize(
    "other",
    [{"factors": 4}, {"regularization": 1.0}, {"alpha": 3.0}],
)
def test_a_night_that_was_trained_otherwise_is_passed_over(
    tmp_path: Path, trained: Path, other: dict[str, float]
) -> None:
    leave(tmp_path, trained, 1, TONIGHT - timedelta(days=2))
    changed = replace(SETTINGS, **other)  # type: ignore[arg-type]
    leave(tmp_path, trained, 2, TONIGHT - timedelta(days=1), settings=changed)
    assert start_of(tmp_path) == 1


def test_what_a_gate_held_back_and_what_is_broken_is_passed_over(
    tmp_path: Path, trained: Path
) -> None:
    for generation in range(1, 6):
        outcome = "block" if generation == 5 else "warn"
        leave(
            tmp_path, trained, generation, TONIGHT - timedelta(days=9 - generation), outcome=outcome
        )
    leave(tmp_path, trained, 6, TONIGHT - timedelta(days=2))
    unjudged = Manifest(
        6, (TONIGHT - timedelta(days=2)).isoformat(), digest="d"
    )  # it died before its gates
    (tmp_path / "shop/6/manifest.json").write_bytes(unjudged.to_json())
    (tmp_path / "shop/4/manifest.json").write_text('{"gener')
    (tmp_path / "shop/3/model/als/item_factors.parquet").unlink()
    (tmp_path / "shop/2/model/als/settings.json").write_text("")
    assert start_of(tmp_path) == 1


def test_every_third_night_begins_anew_and_so_does_the_one_after_a_bad_one(
    tmp_path: Path, trained: Path
) -> None:
    start: Start | None = None
    began: list[int | None] = []
    for generation in range(1, 8):
        as_of = AS_OF + timedelta(days=generation)
        leave(tmp_path, trained, generation, as_of, start=start)
        began.append(start.generation if start else None)
        start = registry.start_of(
            "als", Run("shop", 99, as_of + timedelta(days=1), tmp_path), SETTINGS
        )
    assert began == [None, 1, 2, None, 4, 5, None]
    leave(tmp_path, trained, 8, AS_OF + timedelta(days=8), ndcg=0.94)
    assert start_of(tmp_path) is None
    leave(tmp_path, trained, 9, AS_OF + timedelta(days=9), ndcg=0.96)
    assert start_of(tmp_path) == 9


@pytest.mark.parametrize("new", ["", "a-new-one", "z-new-one"])
def test_training_goes_on_from_the_night_before(tmp_path: Path, trained: Path, new: str) -> None:
    """Ids that sort before all others, or after, move everybody's place."""
    leave(tmp_path, trained, 1, AS_OF + timedelta(days=1))
    before = scores(trained)
    night = taste(tmp_path, 2, new)
    start = registry.start_of("als", Run("shop", 2, TONIGHT, tmp_path), SETTINGS)
    warm = train_als(night.run, night.features, SETTINGS, start)
    few = replace(SETTINGS, iterations=2)
    hasty = train_als(replace(night.run, generation=4), night.features, few)
    near, far = (
        np.mean(
            [
                abs(score - before[pair])
                for pair, score in scores(model.settings.parent).items()
                if pair in before
            ]
        )
        for model in (warm, hasty)
    )
    assert near < 0.05 < far
    assert warm.n_iterations == 2
    assert json.loads((warm.settings.parent / "start.json").read_text()) == {"from": 1, "n_warm": 1}


def scores(model: Path) -> dict[tuple[str, str], float]:
    (users, left), (items, right) = (
        load_factors(model / f"{side}_factors.parquet") for side in ("user", "item")
    )
    pairs = product(users.to_pylist(), items.to_pylist())
    return dict(zip(pairs, (left @ right.T).ravel().tolist(), strict=True))
