"""Every model of the registry against the contract."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from tasks.models.als.settings import TrainSettings
from tasks.models.base import POPULAR, Interactions, Model
from tasks.models.blend.model import Blend
from tasks.models.blend.settings import BlendParts, BlendSettings
from tasks.models.ease.settings import EaseSettings
from tasks.models.graph.settings import GraphSettings
from tasks.models.ials.settings import IalsSettings
from tasks.models.popular.settings import PopularSettings
from tasks.models.registry import MODELS
from tasks.models.settings import MODEL_SETTINGS
from tasks.models.slim.settings import SlimSettings
from tasks.runs.saved_run import SETTINGS
from tests.tasks.models.contract import (
    N_ITEMS,
    N_USERS,
    ModelContract,
    checkerboard,
    reasons_for_all,
)

ALS = TrainSettings(factors=8, iterations=12, warm_iterations=3, dislikes=1.0)


class TestAls(ModelContract):
    name = "als"
    settings = ALS


class TestIals(ModelContract):
    name = "ials"
    settings = IalsSettings(factors=8, iterations=12, warm_iterations=3)


class TestSlim(ModelContract):
    name = "slim"
    settings = SlimSettings(neighbours=30)


class TestEase(ModelContract):
    name = "ease"
    settings = EaseSettings(neighbours=30, regularization=1.0)


class TestGraph(ModelContract):
    name = "graph"
    settings = GraphSettings(neighbours=30)


class TestPopular(ModelContract):
    name = "popular"
    settings = PopularSettings()
    learns = False


class TestBlend(ModelContract):
    name = "blend"
    settings = BlendParts(
        ALS,
        IalsSettings(),
        BlendSettings(1.0, 0.7, 0.3, factors="als"),
        SlimSettings(neighbours=30),
    )

    def test_reasons_are_the_largest_contributions(self, data: Interactions, model: Model) -> None:
        """They are of the part that adds most; that part's own largest contribution."""
        assert isinstance(model, Blend)
        found, kinds = reasons_for_all(data, model), set()
        for at, item in np.ndindex(N_USERS - 4, N_ITEMS):
            history = data.of(np.array([4 + at]))
            whole = model.of(np.array([4 + at])).scoring
            dense = whole.users[0].astype(float) * whole.items[item].astype(float)
            als, popular = dense[:-1].sum(), dense[-1]
            graph = whole.scores(0)[item] - dense.sum()
            largest = max(als, graph, popular)
            if found[at, item] == POPULAR:
                kinds.add("popular")
                assert popular > largest - 1e-6
                continue
            if found[at, item] < 0:
                continue
            row = history.strengths.indices.tolist()
            part = model.graph if graph > als else model.als
            kinds.add(type(part).__name__)
            parts = part.contributions(history, item).history
            chosen = parts[row.index(found[at, item])]
            assert max(als, graph) > largest - 1e-6
            if abs(als - graph) > 1e-3:
                np.testing.assert_allclose(chosen, parts.max(), rtol=1e-3, atol=1e-5)
        assert kinds == {"popular", "Slim", "Als"}


def test_a_blend_saved_before_slim_is_loaded(tmp_path: Path) -> None:
    """Its settings hold sections of then, and none of SLIM's: a night starts from it."""
    model = Blend.fit(checkerboard(), TestBlend.settings)
    model.save(tmp_path)
    given = json.loads((tmp_path / SETTINGS).read_text())
    del given["slim"]
    given["blend"]["ease_items"] = 4_000
    (tmp_path / SETTINGS).write_text(json.dumps(given | {"graph": {}, "ease": {"neighbours": 200}}))
    loaded = Blend.load(tmp_path)
    assert loaded.settings == replace(TestBlend.settings, slim=SlimSettings())
    assert loaded.als.items.tobytes() == model.als.items.tobytes()


def test_every_model_is_held_to_the_contract() -> None:
    assert {each.name for each in ModelContract.__subclasses__()} == set(MODELS)
    assert list(MODEL_SETTINGS) == list(MODELS)
