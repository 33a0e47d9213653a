"""Cold items: ridge against a dense solve, planted tastes, and what must stay as it is."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import scipy.sparse as sp

from tasks.artifacts.factors import load_factors
from tasks.io.columns import CATEGORY, PRICE, TAGS
from tasks.models.als.model import Als
from tasks.models.als.settings import TrainSettings
from tasks.models.base import Histories, Interactions, Model
from tasks.models.blend.model import Blend
from tasks.models.blend.settings import BlendParts, BlendSettings
from tasks.models.content import content_of, fit_ridge, with_cold_items
from tasks.models.graph.model import Graph
from tasks.models.graph.settings import GraphSettings
from tasks.models.ials.model import Ials
from tasks.models.ials.settings import IalsSettings
from tasks.models.registry import train_als
from tasks.models.slim.settings import SlimSettings
from tasks.recommend.settings import SimilarSettings, TopNSettings
from tasks.recommend.similar_items import similar_items
from tasks.recommend.topn import top_n
from tests.tasks.small_models import AS_OF, Event, Learnt, learn, read_lists

Doubles = npt.NDArray[np.float64]
TRAINING = TrainSettings(factors=4, iterations=8)
IALS = IalsSettings(factors=4)


def dense(
    content: Doubles, factors: Doubles, weight: Doubles, strength: float
) -> tuple[Doubles, float]:
    """Solve with a column of ones that is not shrunk; return the map and its GCV error."""
    x, w = np.column_stack([np.ones(len(content)), content]), np.diag(weight)
    shrink = np.diag([0.0, *[strength] * content.shape[1]])
    inverse = np.linalg.inv(x.T @ w @ x + shrink)
    solution = inverse @ x.T @ w @ factors
    residual = factors - x @ solution
    free = 1 - np.trace(x @ inverse @ x.T @ w) / len(x)
    return solution, float(np.sum(weight[:, None] * residual**2)) / free**2


@pytest.mark.parametrize("noise", [0.01, 0.5, 20.0])
def test_the_ridge_of_least_gcv_error_by_a_dense_solve(noise: float) -> None:
    rng = np.random.default_rng(7)
    content = (rng.random((80, 9)) < 0.3).astype(float)
    factors = content @ rng.normal(size=(9, 3)) + noise * rng.normal(size=(80, 3)) + 2
    weight = rng.uniform(0.2, 1, 80)
    share = weight / weight.mean()
    centred = content - share @ content / share.sum()
    scale = np.linalg.eigvalsh(centred.T @ np.diag(share) @ centred).mean()
    tried = [
        dense(content, factors.astype(np.float32), share, scale * 10.0**each)
        for each in range(-4, 4)
    ]
    best, _ = min(tried, key=lambda each: each[1])
    found = fit_ridge(sp.csr_matrix(content), factors.astype(np.float32), weight)
    np.testing.assert_allclose(found.offset, best[0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.weights, best[1:], rtol=1e-6, atol=1e-8)


def test_content_is_category_tags_and_bands_of_price() -> None:
    items = pa.table(
        {
            CATEGORY: ["toys", "unknown", "games", "toys"],
            PRICE: pa.array([1.0, None, 3.0, 2.0]),
            TAGS: pa.array([["red", "red"], ["rare"], ["red", "old"], ["old"]]),
        }
    )
    content = content_of(items).toarray()
    assert content[:, :4].tolist() == [[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 1], [0, 1, 0, 1]]
    bands = content[:, 4:]
    assert bands.sum(axis=1).tolist() == [1, 0, 1, 1]
    assert bands[0].argmax() < bands[3].argmax() < bands[2].argmax()


def test_no_factor_of_an_item_with_users_changes() -> None:
    rng = np.random.default_rng(2)
    items = rng.normal(size=(6, 3)).astype(np.float32)
    strengths = sp.csr_matrix(np.array([[1, 0, 2, 0, 1, 1], [0, 0, 1, 0, -1, 3]], np.float32))
    filled = with_cold_items(items, strengths, sp.csr_matrix(np.eye(6)))
    warm = [0, 2, 4, 5]
    assert filled[warm].tobytes() == items[warm].tobytes()
    assert np.abs(filled[[1, 3]]).max() > 0
    assert not with_cold_items(items, strengths, None)[[1, 3]].any()
    everything = sp.csr_matrix(np.ones((1, 6), np.float32))
    assert with_cold_items(items, everything, sp.csr_matrix(np.eye(6))) is items


def interactions(strengths: sp.csr_matrix) -> Interactions:
    """Name users and items by number."""
    users, items = (pa.array([f"{at:02}" for at in range(n)]) for n in strengths.shape)
    return Interactions(strengths, strengths, users, items, np.zeros(len(items)))


@pytest.mark.parametrize(("kind", "settings"), [(Als, TRAINING), (Ials, IALS)])
def test_without_cold_items_content_changes_no_byte(kind: type[Model], settings: Any) -> None:
    rng = np.random.default_rng(3)
    strengths = sp.csr_matrix((rng.random((30, 12)) < 0.4).astype(np.float32))
    assert strengths.getnnz(axis=0).all()
    data = interactions(strengths)
    plain = kind.fit(data, settings)
    beside = kind.fit(replace(data, content=sp.csr_matrix(np.eye(12))), settings)
    assert (plain.users.tobytes(), plain.items.tobytes()) == (
        beside.users.tobytes(),
        beside.items.tobytes(),
    )


def test_folding_in_gives_the_users_of_ials_beside_cold_items() -> None:
    rng = np.random.default_rng(4)
    strengths = sp.csr_matrix((rng.random((30, 12)) < 0.4) * (np.arange(12) != 5), dtype=np.float32)
    content = sp.csr_matrix(np.eye(12)[:, :3])
    model = Ials.fit(replace(interactions(strengths), content=content), IALS)
    assert model.items[5].any()
    users, _ = model.fold_in(Histories(strengths, strengths))
    np.testing.assert_allclose(users, model.users, rtol=1e-3, atol=1e-4)


def test_a_graph_scores_no_cold_item_and_a_blend_does() -> None:
    rng = np.random.default_rng(6)
    strengths = sp.csr_matrix((rng.random((30, 12)) < 0.4) * (np.arange(12) != 5), dtype=np.float32)
    data = replace(interactions(strengths), content=sp.csr_matrix(np.eye(12)[:, :3]))
    graph = Graph.fit(data, GraphSettings())
    assert np.flatnonzero(~graph.scoring.scored).tolist() == [5]
    blend = Blend.fit(
        data,
        BlendParts(
            TRAINING,
            IalsSettings(),
            BlendSettings(factors="als"),
            SlimSettings(),
        ),
    )
    assert blend.scoring.scored.all()


def tastes(root: Path) -> Learnt:
    """Give 20 users each of three categories a view of half its items; each has a cold item too."""
    rng = np.random.default_rng(5)
    items = {f"{kind}{at:02}": {"category": kind} for kind in "abc" for at in range(12)}
    items |= {f"{kind}-cold": {"category": kind} for kind in "abc"}
    events: list[Event] = [
        (f"{kind}-user{at:02}", f"{kind}{item:02}", "view", AS_OF - timedelta(hours=1))
        for kind in "abc"
        for at in range(20)
        for item in np.flatnonzero(rng.random(12) < 0.5)
    ]
    return learn(root, events, items, seen=("view",))


def test_cold_items_rank_high_for_the_users_of_their_category_alone(tmp_path: Path) -> None:
    night = tastes(tmp_path)
    assert night.features.n_cold == 3
    model = train_als(night.run, night.features, TRAINING)
    uncapped = TopNSettings(n=50, page_size=50, max_per_category=50)
    lists = read_lists(top_n(night.run, night.features, model, uncapped).path)
    assert len(lists) == 60
    for user, row in lists.items():
        n_own = sum(item[0] == user[0] for item in row["item_ids"])
        cold = {item: at for at, item in enumerate(row["item_ids"]) if "cold" in item}
        mine = cold.pop(f"{user[0]}-cold")
        assert mine < n_own <= min(cold.values())


def test_cold_items_have_similar_items_and_are_in_no_list_of_them(tmp_path: Path) -> None:
    night = tastes(tmp_path)
    model = train_als(night.run, night.features, TRAINING)
    made = similar_items(night.run, night.features, model, SimilarSettings(), TopNSettings())
    lists = read_lists(made.path)
    assert {item[0] for item in lists["a-cold"]["item_ids"][:5]} == {"a"}
    assert not [item for row in lists.values() for item in row["item_ids"] if "cold" in item]


def test_an_item_that_nothing_can_score_is_on_no_list(tmp_path: Path) -> None:
    """A score of 0 would stand above the negative ones."""
    night = tastes(tmp_path)
    model = train_als(night.run, night.features, TRAINING)
    ids, factors = load_factors(model.item_factors)
    cold = [at for at, item in enumerate(ids.to_pylist()) if "cold" in item]
    assert factors[cold].any()
    loaded = Als.load(model.settings.parent)
    bare = loaded.items.copy()
    bare[cold] = 0
    replace(loaded, items=bare).save(model.settings.parent)
    uncapped = TopNSettings(n=50, page_size=50, max_per_category=50)
    lists = read_lists(top_n(night.run, night.features, model, uncapped).path)
    assert min(min(row["scores"]) for row in lists.values()) < 0
    assert not [item for row in lists.values() for item in row["item_ids"] if "cold" in item]
