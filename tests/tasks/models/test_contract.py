"""Every model of the registry against the contract."""

from tasks.models.als.settings import TrainSettings
from tasks.models.registry import MODELS
from tests.tasks.models.contract import ModelContract


class TestAls(ModelContract):
    name = "als"
    settings = TrainSettings(factors=8, iterations=12, warm_iterations=3, regularization=0.1)


def test_every_model_is_held_to_the_contract() -> None:
    assert {each.name for each in ModelContract.__subclasses__()} == set(MODELS)
