"""Requirements of every model of the registry; a subclass names the model and small settings."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from tasks.models.base import NOTHING, Interactions, Model
from tasks.models.registry import MODELS

N_USERS, N_ITEMS = 24, 40


def checkerboard(n_users: int = N_USERS, seed: int = 1) -> Interactions:
    """Draw half of a checkerboard: even users take even items, odd users odd ones; few dislikes."""
    rng = np.random.default_rng(seed)
    alike = (np.arange(n_users)[:, None] + np.arange(N_ITEMS)) % 2 == 0
    taken = np.where(rng.random(alike.shape) < 0.5, alike * rng.exponential(2, alike.shape), 0)
    taken[:, :3] *= np.where(rng.random((n_users, 3)) < 0.3, -1, 1)
    return Interactions(
        user_ids=pa.array([f"u{at:02}" for at in range(n_users)]),
        item_ids=pa.array([f"i{at:02}" for at in range(N_ITEMS)]),
        strengths=sp.csr_matrix(taken.astype(np.float32)),
    )


def separation(model: Model) -> float:
    """Return how far a user's own colour scores above the other, in the scores' deviation."""
    scores = model.users @ model.items.T
    alike = (np.arange(len(model.users))[:, None] + np.arange(N_ITEMS)) % 2 == 0
    return float((scores[alike].mean() - scores[~alike].mean()) / scores.std())


class ModelContract:
    """Tests that a model of the registry inherits."""

    name: ClassVar[str]
    settings: ClassVar[Any]

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
        assert separation(model) > 1

    def test_equal_data_give_equal_bytes(self, data: Interactions, model: Model) -> None:
        again = self.fit(data)
        assert again.users.tobytes() == model.users.tobytes()
        assert again.items.tobytes() == model.items.tobytes()

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
        assert loaded.settings == items_only.settings == model.settings
        assert (len(items_only.user_ids), len(items_only.users)) == (0, 0)

    def test_training_goes_on_from_another_model(self, data: Interactions, model: Model) -> None:
        more = checkerboard(N_USERS + 2)
        more = replace(more, user_ids=pa.array([f"t{at:02}" for at in range(N_USERS + 2)]))
        for grown in (data, more):
            warm = self.fit(grown, model)
            assert warm.user_ids.equals(grown.user_ids)
            assert warm.n_iterations < model.n_iterations
            assert separation(warm) > 0.9 * separation(model)

    def test_a_known_user_is_folded_in_where_training_put_them(
        self, data: Interactions, model: Model
    ) -> None:
        folded = model.with_users(data.user_ids, data.strengths)
        np.testing.assert_array_equal(folded.items, model.items)
        scores, trained = (each.users @ model.items.T for each in (folded, model))
        assert np.corrcoef(scores.ravel(), trained.ravel())[0, 1] > 0.99
        one = model.with_users(data.user_ids.slice(3, 1), data.strengths[3])
        np.testing.assert_allclose(one.users[0], folded.users[3], rtol=1e-3, atol=1e-5)

    def test_contributions_add_up_to_the_score(self, data: Interactions, model: Model) -> None:
        folded = model.with_users(data.user_ids, data.strengths)
        scores = folded.users.astype(np.float64) @ model.items.T.astype(np.float64)
        for user, item in ((0, 0), (0, 1), (7, 3), (11, 39)):
            row = data.strengths[user]
            parts = folded.contributions(row, item)
            assert len(parts) == row.nnz
            assert parts.sum() == pytest.approx(scores[user, item], rel=1e-3, abs=1e-3)

    def test_reasons_are_the_largest_contributions(self, data: Interactions, model: Model) -> None:
        listed = np.tile(np.arange(N_ITEMS, dtype=np.int32), (N_USERS - 4, 1))
        lengths = np.full(N_USERS - 4, N_ITEMS)
        found = model.reasons(data.strengths)(4, listed, lengths)
        assert (found != NOTHING).any()
        for at, item in np.ndindex(N_USERS - 4, N_ITEMS):
            row = data.strengths[4 + at]
            parts = model.contributions(row, item)
            if found[at, item] == NOTHING:
                assert parts.max() < 1e-5
            else:
                chosen = parts[row.indices.tolist().index(found[at, item])]
                assert chosen == pytest.approx(parts.max(), rel=1e-3, abs=1e-5)
