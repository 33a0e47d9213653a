"""Training on planted structure, and what it does when the numbers run away."""

import hashlib
import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_info

from tasks.artifacts.factors import load_factors
from tasks.artifacts.records import TrainedModel
from tasks.errors import ModelError
from tasks.models.als.settings import TrainSettings
from tasks.models.registry import train_als
from tasks.recommend.settings import TopNSettings
from tasks.recommend.topn import top_n
from tests.tasks.small_models import AS_OF, Event, Learnt, learn, read_lists

SETTINGS = TrainSettings(factors=8, iterations=10)


def checkerboard(root: Path, *, generation: int = 1) -> Learnt:
    """Learn from 20 users and 40 items: the even took to half of the even, the odd of the odd."""
    rng = np.random.default_rng(1)
    items = {f"i{number:02}": {"category": "any"} for number in range(40)}
    events: list[Event] = [
        (f"u{user:02}", f"i{item:02}", "view", AS_OF - timedelta(days=1))
        for user in range(20)
        for item in range(user % 2, 40, 2)
        if rng.random() < 0.5
    ]
    return learn(root, events, items, seen=("view",), generation=generation)


def trained(night: Learnt, settings: TrainSettings = SETTINGS) -> TrainedModel:
    return train_als(night.run, night.features, settings)


def test_on_a_checkerboard_each_group_is_given_what_is_its_own(tmp_path: Path) -> None:
    night = checkerboard(tmp_path)
    training = TrainSettings(factors=2, iterations=10)
    listing = TopNSettings(n=3, max_per_category=10)
    path = top_n(night.run, night.features, trained(night, training), listing).path
    lists = read_lists(path)
    assert len(lists) == 20
    for user, row in lists.items():
        group = int(user[1:]) % 2
        assert [int(item[1:]) % 2 for item in row["item_ids"]] == [group] * 3
        assert row["codes"] == ["because"] * 3
        assert [int(item[1:]) % 2 for item in row["because"]] == [group] * 3


def test_a_second_run_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = (trained(checkerboard(tmp_path, generation=at)) for at in (1, 2))
    assert first.user_factors != second.user_factors
    assert first.user_factors.read_bytes() == second.user_factors.read_bytes()
    assert first.item_factors.read_bytes() == second.item_factors.read_bytes()


def test_another_seed_gives_another_model(tmp_path: Path) -> None:
    models = [
        trained(checkerboard(tmp_path, generation=seed), TrainSettings(8, 10, seed=seed))
        for seed in (1, 2)
    ]
    assert models[0].user_factors.read_bytes() != models[1].user_factors.read_bytes()


def test_factors_are_saved_with_ids_and_settings(tmp_path: Path) -> None:
    night = checkerboard(tmp_path)
    model = trained(night)
    assert (model.n_users, model.n_items, model.n_factors) == (20, 40, 8)
    for path, ids, n in (
        (model.user_factors, night.features.user_ids, 20),
        (model.item_factors, night.features.item_ids, 40),
    ):
        named, factors = load_factors(path)
        assert named.to_pylist() == pq.read_table(ids)["id"].to_pylist()
        assert factors.shape == (n, 8)
        assert factors.dtype == np.float32
        assert pq.read_table(path)["factors"].to_pylist() == factors.tolist()
    saved = json.loads((night.run.folder / "model/als/settings.json").read_text())
    assert saved == asdict(SETTINGS)


def test_progress_is_told_and_blas_held_to_one_thread(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    threads: set[int] = set()

    def note(done: int, total: int) -> None:
        calls.append((done, total))
        threads.update(
            each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"
        )

    night = checkerboard(tmp_path)
    train_als(night.run, night.features, SETTINGS, progress=note)
    assert calls == [(at, 10) for at in range(1, 11)]
    assert threads == {1}


def test_a_dislike_moves_an_item_away(tmp_path: Path) -> None:
    """u00 dislikes i03; a twin, alike but for that, does not know i03."""
    items = {f"i{number:02}": {"category": "any"} for number in range(8)}
    kinds = [(f"u{user:02}", item) for user in range(2, 12) for item in items]
    events: list[Event] = [(user, item, "view", AS_OF) for user, item in kinds]
    events += [(user, "i01", "view", AS_OF) for user in ("u00", "u01")]
    events += [("u00", "i03", "dislike", AS_OF)]
    night = learn(tmp_path, events, items, weights={"view": 1.0, "dislike": -3.0})
    model = trained(night, TrainSettings(factors=1, alpha=8.0, dislikes=1.0))
    (_, users), (_, factors) = (load_factors(model.user_factors), load_factors(model.item_factors))
    scores = users[:2] @ factors.T
    assert 0 < scores[0, 3] < 0.7 * scores[1, 3]


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(factors=8, iterations=3, alpha=3e38),  # confidences overflow to infinity
        TrainSettings(factors=8, iterations=3, regularization=float("nan")),
    ],
)
def test_factors_that_are_not_finite_stop_the_night(
    tmp_path: Path, settings: TrainSettings
) -> None:
    night = checkerboard(tmp_path)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ModelError, match="user factors hold NaN") as raised,
    ):
        trained(night, settings)
    assert "NIGHTSHELF_TRAIN__REGULARIZATION" in str(raised.value)
    assert not (night.run.folder / "model").exists()


def test_infinite_factors_stop_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Infinity passes implicit's own check, which looks for NaN alone."""
    monkeypatch.setattr("tasks.models.als.train.AlternatingLeastSquares.fit", fit_to_infinity)
    with pytest.raises(ModelError, match="item factors hold NaN or infinity"):
        trained(checkerboard(tmp_path))


def fit_to_infinity(als: object, *_: object, **__: object) -> None:
    vars(als).update(
        user_factors=np.ones((20, 8), np.float32),
        item_factors=np.full((40, 8), np.inf, np.float32),
    )


def test_the_model_has_a_digest_of_its_factors(tmp_path: Path) -> None:
    models = [
        trained(checkerboard(tmp_path, generation=n), settings)
        for n, settings in enumerate([SETTINGS, SETTINGS, replace(SETTINGS, seed=1)], start=1)
    ]
    text = "".join(
        f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in sorted(
            (
                models[0].item_factors,
                models[0].user_factors,
                models[0].links,
                models[0].profiles,
            )
        )
    )
    assert models[0].digest == hashlib.sha256(text.encode()).hexdigest()
    assert models[1].digest == models[0].digest != models[2].digest


def test_the_model_names_the_settings_that_it_was_trained_with(tmp_path: Path) -> None:
    model = trained(checkerboard(tmp_path))
    assert json.loads(model.settings.read_text()) == asdict(SETTINGS)
