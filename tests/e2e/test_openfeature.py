"""`examples/openfeature_provider.py` behind OpenFeature's SDK, against a real server."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from redis import Redis

from nightshelf import Shelf
from nightshelf.admin.experiments import stop
from tests.conftest import ROOT
from tests.lookup.experiments import HALVES, LINKS, NOW, OUT, experimenting
from tests.lookup.shelves import SHOP, entries

EVERYONE = replace(HALVES, id="exp-2", phase=1, traffic=((0, 10_000),))


@pytest.fixture
def flags(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the SDK whose provider reads two experiments, of which the first goes first."""
    experimenting(redis_client, HALVES, EVERYONE)
    monkeypatch.syspath_prepend(ROOT / "examples")
    provider = import_module("openfeature_provider").ShelfProvider(Shelf(redis_client, SHOP))
    api.set_provider(provider)
    yield api.get_client()
    api.shutdown()
    api.clear_providers()


def flag(flags: Any, user: str | None, key: str = "exp-1") -> Any:
    return flags.get_string_details(key, "default", EvaluationContext(user))


def test_a_flag_is_the_variant_and_model_that_a_list_is_of(flags: Any, redis_client: Redis) -> None:
    shelf = Shelf(redis_client, SHOP)
    for user in (NOW, LINKS):
        found, result = flag(flags, user), shelf.get(user)
        assert found.reason == Reason.SPLIT
        assert (found.variant, found.value) == (result.variant, result.model)
        assert found.flag_metadata == {"phase": result.phase}
    asked = flags.get_string_value_async("exp-1", "default", EvaluationContext(LINKS))
    assert asyncio.run(asked) == "ease"
    assert entries(redis_client) == []  # no exposure


def test_outside_an_experiment_the_default_is_the_value(flags: Any) -> None:
    for found in (flag(flags, OUT), flag(flags, NOW, "exp-2")):  # in none, and in the one before
        assert (found.value, found.variant, found.reason) == ("default", None, Reason.DEFAULT)
    assert flag(flags, OUT, "exp-2").reason == Reason.SPLIT


def test_a_stopped_experiment_is_disabled(flags: Any, redis_client: Redis) -> None:
    stop(redis_client, SHOP, "exp-1")
    found = flag(flags, NOW)
    assert (found.value, found.variant, found.reason) == ("default", None, Reason.DISABLED)
    assert flag(flags, NOW, "exp-2").variant == "now"


def test_errors_give_the_default_and_their_code(flags: Any, redis_client: Redis) -> None:
    mismatch = [
        flags.get_boolean_details("exp-1", True, EvaluationContext(NOW)),
        flags.get_integer_details("exp-1", 7, EvaluationContext(NOW)),
        flags.get_float_details("exp-1", 0.5, EvaluationContext(NOW)),
        flags.get_object_details("exp-1", {"a": 1}, EvaluationContext(NOW)),
    ]
    assert [found.value for found in mismatch] == [True, 7, 0.5, {"a": 1}]
    assert {found.error_code for found in mismatch} == {ErrorCode.TYPE_MISMATCH}
    assert flag(flags, NOW, "exp-3").error_code == ErrorCode.FLAG_NOT_FOUND
    for nobody in (None, ""):
        found = flag(flags, nobody)
        assert (found.value, found.error_code) == ("default", ErrorCode.TARGETING_KEY_MISSING)
