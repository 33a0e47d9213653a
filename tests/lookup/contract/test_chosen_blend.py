"""The blend in the manifest: golden bytes, manifests without it, and values that are none."""

import json

import pytest

from nightshelf.contract.chosen_blend import ChosenBlend
from nightshelf.contract.values import Manifest
from nightshelf.errors import CorruptValue

BLEND = ChosenBlend(
    weights={"als": 1.0, "graph": 0.5, "popular": 0.25},
    half_lives_days={"learning": 60.0, "profile": 7.0, "popular": 3.0},
    by_history={"1": (0.0, 0.0, 1.0), "11+": (1.0, 0.25, 1.0)},
)
GOLDEN = (
    b'"choice":{"weights":{"als":1.0,"graph":0.5,"popular":0.25},'
    b'"half_lives_days":{"learning":60.0,"profile":7.0,"popular":3.0},'
    b'"by_history":{"1":[0.0,0.0,1.0],"11+":[1.0,0.25,1.0]},"held":false}'
)


def test_bytes_of_the_contract() -> None:
    value = Manifest(7, "2026-03-01T00:00:00+00:00", choice=BLEND).to_json()
    assert GOLDEN in value
    assert Manifest.from_json(value).choice == BLEND


def test_manifests_without_it_are_read_as_before() -> None:
    old = Manifest(7, "2026-03-01T00:00:00+00:00")
    raw = json.loads(old.to_json())
    assert raw.pop("choice") is None
    assert Manifest.from_json(json.dumps(raw)) == old


def test_fields_of_a_later_version_are_passed_over() -> None:
    raw = json.loads(Manifest(7, "", choice=BLEND).to_json())
    raw["choice"]["protocol"] = "by time"
    assert Manifest.from_json(json.dumps(raw)).choice == BLEND


@pytest.mark.parametrize(
    "choice",
    [
        3,
        {"weights": {}},
        {"weights": 3, "half_lives_days": {}, "by_history": {}, "held": True},
        {"weights": {"als": "x"}, "half_lives_days": {}, "by_history": {}, "held": True},
        {"weights": {}, "half_lives_days": {}, "by_history": {"1": 3}, "held": True},
        {"weights": {"als": float("nan")}, "half_lives_days": {}, "by_history": {}, "held": True},
    ],
)
def test_what_is_no_blend_is_a_corrupt_manifest(choice: object) -> None:
    with pytest.raises(CorruptValue):
        Manifest.from_json(json.dumps({"generation": 7, "as_of": "", "choice": choice}))


def test_the_largest_choice_is_small() -> None:
    buckets = ("1", "2", "3-5", "6-10", "11+")
    own = dict.fromkeys(buckets, (1 / 3, 1 / 7, 1 / 9))
    spans = dict.fromkeys(("learning", "profile", "popular"), 1_000 / 3)
    largest = ChosenBlend(dict.fromkeys(("als", "graph", "popular"), 1 / 3), spans, own, held=True)
    without = Manifest(7, "")
    assert len(Manifest(7, "", choice=largest).to_json()) - len(without.to_json()) < 1_024


def test_text_names_weights_half_lives_exceptions_and_a_hold() -> None:
    assert BLEND.text() == (
        "als 1, graph 0.5, popular 0.25; half-lives in days: learning 60, profile 7, popular 3; "
        "others for 1, 11+"
    )
    held = ChosenBlend({"als": 1.0}, {"learning": 60.0}, held=True)
    assert held.text() == "als 1; half-lives in days: learning 60; held by the settings"
