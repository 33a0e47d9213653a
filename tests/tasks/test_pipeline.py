"""The chain of every run: its steps in order, and what each caller may leave out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from tasks.pipeline import Pipeline
from tasks.settings import Settings
from tests.tasks.small_models import AS_OF, learn

P = ParamSpec("P")
R = TypeVar("R")
STEPS = [
    "build_features",
    "count_popularity",
    "train_blend",
    "top_n",
    "popular_lists",
    "similar_items",
]


def test_the_steps_are_called_in_order_and_models_are_known_by_name(tmp_path: Path) -> None:
    events = [(f"u{at % 5}", f"i{at % 7}", "view", AS_OF) for at in range(30)]
    night = learn(tmp_path, events, {f"i{at}": {"category": "c"} for at in range(7)})
    called: list[str] = []

    def call(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        called.append(step.__name__)
        return step(*args, **kwargs)

    recipe = Settings().recipe
    made = Pipeline(night.run, night.log, recipe, call).whole()
    assert called == STEPS
    assert list(made.models) == list(made.lists) == list(made.files.lists) == ["blend"]
    assert made.model.name == made.default
    assert made.files.similar == night.run.folder / "lists/similar.parquet"

    called.clear()
    past = night.run.inside("backtest", night.run.as_of)
    made = Pipeline(past, night.log, replace(recipe, similar=None), call).whole()
    assert called == STEPS[:-1]
    assert (made.similar, made.files.similar) == (None, None)
