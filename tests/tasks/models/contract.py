"""Requirements of every model of the registry; a subclass names the model and small settings."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import scipy.sparse as sp

from tasks.models.base import NOTHING, POPULAR, Interactions, Model
from tasks.models.registry import MODELS

N_USERS, N_ITEMS = 24, 40


def checkerboard(n_users: int = N_USERS, seed: int = 1) -> Interactions:
    """Draw half of a checkerboard: even users take even items, odd users odd ones; few dislikes."""
    rng = np.random.default_rng(seed)
    alike = (np.arange(n_users)[:, None] + np.arange(N_ITEMS)) % 2 == 0
    taken = np.where(rng.random(alike.shape) < 0.5, alike * rng.exponential(2, alike.shape), 0)
    taken[:, :3] *= np.where(rng.random((n_users, 3)) < 0.3, -1, 1)
    strengths = sp.csr_matrix(taken.astype(np.float32))
    return Interactions(
        strengths=strengths,
        recent=strengths.copy(),
        popularity=np.asarray(strengths.maximum(0).sum(axis=0), np.float64).ravel(),
        user_ids=pa.array([f"u{at:02}" for at in range(n_users)]),
        item_ids=pa.array([f"i{at:02}" for at in range(N_ITEMS)]),
    )


def scores_of(model: Model) -> npt.NDArray[np.float64]:
    """Return the scores of all users and items, by the definition."""
    return np.array([model.scoring.scores(user) for user in range(len(model.users))])


def separation(model: Model) -> float:
    """Return how far a user's own colour scores above the other, in the scores' deviation."""
    scores = scores_of(model)
    alike = (np.arange(len(model.users))[:, None] + np.arange(N_ITEMS)) % 2 == 0
    return float((scores[alike].mean() - scores[~alike].mean()) / scores.std())


class ModelContract:
    """Tests that a model of the registry inherits."""

    name: ClassVar[str]
    settings: ClassVar[Any]
    #: False for a model that is the same for every user.
    learns: ClassVar[bool] = True

    @pytest.fixture
    def data(self) -> Interactions:
        return checkerboard()

    @pytest.fixture
    def model(self, data: Interactions) -> Model:
        return self.fit(data)

    def fit(self, data: Interactions, start: Model | None = None) -> Model:
        return MODELS[self.name].kind.fit(data, self.settings, start)

    def test_ids_are_those_of_the_data_and_factors_are_finite(
        self, data: Interactions, model: Model
    ) -> None:
        assert model.user_ids.equals(data.user_ids)
        assert model.item_ids.equals(data.item_ids)
        for ids, factors in ((data.user_ids, model.users), (data.item_ids, model.items)):
            assert factors.shape == (len(ids), model.items.shape[1])
            assert factors.dtype == np.float32
            assert np.isfinite(factors).all()
        assert model.settings == self.settings
        assert model.n_iterations > 0

    def test_it_learns(self, model: Model) -> None:
        assert (separation(model) > 1) == self.learns

    def test_equal_data_give_equal_bytes(self, data: Interactions, model: Model) -> None:
        again = self.fit(data)
        assert again.users.tobytes() == model.users.tobytes()
        assert again.items.tobytes() == model.items.tobytes()
        assert again.profiles.data.tobytes() == model.profiles.data.tobytes()
        assert again.neighbours.data.tobytes() == model.neighbours.data.tobytes()

    def test_it_is_loaded_as_it_was_saved(self, model: Model, tmp_path: Path) -> None:
        model.save(tmp_path)
        kind = MODELS[self.name].kind
        loaded, items_only = kind.load(tmp_path), kind.load(tmp_path, with_users=False)
        assert loaded.user_ids.equals(model.user_ids)
        assert loaded.item_ids.equals(items_only.item_ids) and loaded.item_ids.equals(
            model.item_ids
        )
        np.testing.assert_array_equal(loaded.users, model.users)
        np.testing.assert_array_equal(loaded.items, model.items)
        np.testing.assert_array_equal(items_only.items, model.items)
        np.testing.assert_array_equal(scores_of(loaded), scores_of(model))
        assert loaded.facts == items_only.facts == model.facts
        assert loaded.settings == items_only.settings == model.settings
        assert (len(items_only.user_ids), len(items_only.users)) == (0, 0)

    def test_training_goes_on_from_another_model(self, data: Interactions, model: Model) -> None:
        more = checkerboard(N_USERS + 2)
        more = replace(more, user_ids=pa.array([f"t{at:02}" for at in range(N_USERS + 2)]))
        begins = MODELS[self.name].kind.warm_start(self.settings) is not None
        for grown in (data, more):
            warm = self.fit(grown, model)
            assert warm.user_ids.equals(grown.user_ids)
            assert (warm.n_iterations < model.n_iterations) == begins
            assert separation(warm) > 0.9 * separation(model) or not self.learns

    def test_a_known_user_is_folded_in_where_training_put_them(
        self, data: Interactions, model: Model
    ) -> None:
        folded = model.with_users(data.user_ids, data)
        np.testing.assert_array_equal(folded.items, model.items)
        scores, trained = scores_of(folded), scores_of(model)
        assert np.corrcoef(scores.ravel(), trained.ravel())[0, 1] > 0.99
        third = np.array([3])
        one = model.with_users(data.user_ids.slice(3, 1), data.of(third))
        np.testing.assert_allclose(scores_of(one)[0], scores[3], rtol=1e-3, atol=1e-5)
        some = folded.of(third)
        np.testing.assert_array_equal(scores_of(some)[0], scores[3])

    def test_contributions_add_up_to_the_score(self, data: Interactions, model: Model) -> None:
        folded = model.with_users(data.user_ids, data)
        scores = scores_of(folded)
        for user, item in ((0, 0), (0, 1), (7, 3), (11, 39)):
            history = data.of(np.array([user]))
            parts = folded.contributions(history, item)
            assert len(parts.history) == history.strengths.nnz
            total = parts.history.sum() + parts.popular
            assert total == pytest.approx(scores[user, item], rel=1e-3, abs=1e-3)

    def test_reasons_are_the_largest_contributions(self, data: Interactions, model: Model) -> None:
        found = reasons_for_all(data, model)
        if not self.learns:
            assert (found == POPULAR).all()
            return
        assert (found >= 0).any()
        for at, item in np.ndindex(N_USERS - 4, N_ITEMS):
            history = data.of(np.array([4 + at]))
            parts = model.contributions(history, item).history
            if found[at, item] == NOTHING:
                assert parts.max() < 1e-5
            else:
                row = history.strengths.indices.tolist()
                chosen = parts[row.index(found[at, item])]
                assert chosen == pytest.approx(parts.max(), rel=1e-3, abs=1e-5)


def reasons_for_all(data: Interactions, model: Model) -> npt.NDArray[np.int32]:
    """Return the reasons of all items for users 4, 5, ..."""
    listed = np.tile(np.arange(N_ITEMS, dtype=np.int32), (N_USERS - 4, 1))
    return model.reasons(data)(4, listed, np.full(N_USERS - 4, N_ITEMS))
