"""The chain of every run: its steps in order, and what each caller may leave out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pytest

from tasks.artifacts.records import Made
from tasks.errors import ModelError
from tasks.models.registry import MODELS
from tasks.pipeline import Call, Pipeline, direct
from tasks.recommend.topn import LIST_STEPS
from tasks.runs.resume import adopt
from tasks.settings import Settings
from tests.tasks.small_models import AS_OF, Learnt, learn

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


EVENTS = [(f"u{at % 5}", f"i{at % 7}", "view", AS_OF) for at in range(30)]
ITEMS = {f"i{at}": {"category": "c"} for at in range(7)}


def made_of(night: Learnt, *models: str, call: Call = direct) -> Made:
    """Make a night's lists with further models."""
    return Pipeline(night.run, night.log, Settings().recipe_with(models), call).whole()


def contents(made: Made, name: str) -> dict[str, bytes]:
    """Return the bytes of a model, of its lists, and of all other files to publish."""
    files, model = made.files, made.models[name]
    others = (files.popular, files.similar, files.users, files.items)
    paths = [files.lists[name], model.user_factors, model.item_factors, model.links, *others]
    return {path.name: path.read_bytes() for path in paths if path}


def test_further_models_leave_the_default_as_it_is(tmp_path: Path) -> None:
    alone = made_of(learn(tmp_path / "alone", EVENTS, ITEMS))
    both = made_of(learn(tmp_path / "both", EVENTS, ITEMS), "als", "popular")
    assert list(both.models) == list(both.files.lists) == ["blend", "als", "popular"]
    assert len(set(both.files.lists.values())) == 3, "each has lists of its own"
    assert contents(alone, "blend") == contents(both, "blend")
    assert contents(both, "als") != contents(both, "popular") != contents(both, "blend")

    as_default = made_of(learn(tmp_path / "als", EVENTS, ITEMS), "als")
    assert as_default.of("als").default == "als"
    assert contents(as_default, "als") == contents(both, "als")


def test_a_resumed_night_takes_over_each_model_and_its_lists(tmp_path: Path) -> None:
    first = learn(tmp_path, EVENTS, ITEMS)
    recipe = Settings().recipe_with(["als"])
    before = Pipeline(first.run, first.log, recipe).whole()
    second = replace(first.run, generation=2)
    assert adopt(second, first.run) > len(STEPS)
    again = Pipeline(second, first.log, recipe).whole()
    lines = [line for line in second.journal() if "taken_from" not in line]
    assert [line["step"] for line in lines] == [], "nothing is computed again"
    for name in ("blend", "als"):
        assert again.files.lists[name].is_relative_to(second.folder)
        assert contents(again, name) == contents(before, name)


FAULTS = {"train": MODELS["als"].train, "lists": LIST_STEPS["als"]}


@pytest.mark.parametrize("fails", FAULTS)
@pytest.mark.parametrize(
    "error", [ModelError("not finite"), MemoryError(), RuntimeError("no idea")]
)
def test_a_further_model_that_fails_is_left_out(
    tmp_path: Path, fails: str, error: Exception
) -> None:
    def call(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if step is FAULTS[fails]:
            raise error
        return step(*args, **kwargs)

    made = made_of(learn(tmp_path / "one", EVENTS, ITEMS), "als", "popular", call=call)
    assert list(made.models) == list(made.lists) == ["blend", "popular"]
    assert list(made.left_out) == ["als"]
    assert made.left_out["als"].startswith(type(error).__name__)
    good = made_of(learn(tmp_path / "good", EVENTS, ITEMS), "als", "popular")
    for name in made.models:
        assert contents(made, name) == contents(good, name)


def test_a_default_that_fails_is_an_error(tmp_path: Path) -> None:
    def call(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Any:
        if step is MODELS["blend"].train:
            raise ModelError("not finite")
        return step(*args, **kwargs)

    with pytest.raises(ModelError):
        made_of(learn(tmp_path, EVENTS, ITEMS), "als", call=call)


def test_the_steps_are_called_in_order_and_models_are_known_by_name(tmp_path: Path) -> None:
    night = learn(tmp_path, EVENTS, ITEMS)
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
