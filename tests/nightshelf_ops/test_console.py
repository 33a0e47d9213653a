"""The console's parts that need the pipeline, against the trace and the night's files."""

import json
import shutil
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from redis import Redis

from nightshelf_ops import console
from nightshelf_ops.console import defaults, trace
from tasks.explain import trace as tracing
from tasks.explain.saved_model import load_night
from tasks.settings import Settings
from tests.nightshelf_ops.night import ITEMS, USERS, make_night


@pytest.fixture
def runs(redis_client: Redis, tmp_path: Path) -> Path:
    """A live night, and nothing of it in memory."""
    make_night(redis_client, tmp_path)
    return tmp_path


def test_the_service_finds_both_by_name() -> None:
    found = {each.name: each.load() for each in entry_points(group="nightshelf.console")}
    assert found == {"trace": trace, "defaults": defaults}


def test_the_steps_of_a_list_are_the_walk(redis_client: Redis, runs: Path) -> None:
    night = load_night(runs / "shop/1", "als")
    for user in USERS[:4]:
        found = trace(redis_client, "shop", user, None, runs)
        assert json.loads(json.dumps(found)) == found
        assert found["steps"] == [asdict(each) for each in tracing.steps_of(night, user)]
        listed = [step["item_id"] for step in found["steps"] if step["outcome"] == "listed"]
        served = [step["position"] for step in found["steps"] if step["position"]]
        assert served == list(range(1, len(listed) + 1))
        assert found["lines"][0] == f"{user} is served their own list: 6 items"
        assert (found["generation"], found["model"], found["missing"]) == (1, "als", None)


def test_an_item_passes_the_rules_up_to_the_one_that_it_fell_to(
    redis_client: Redis, runs: Path
) -> None:
    night = load_night(runs / "shop/1", "als")
    order = ["not in the model", "seen", "unavailable", "not scored", "below", "no room"]
    outcomes = set()
    for user in USERS:
        for item in ITEMS:
            _, place = tracing.trace(night, user, item)
            assert place is not None
            found = trace(redis_client, "shop", user, item, runs)
            verdicts = [each["passed"] for each in found["rules"]]
            assert found["item_lines"][0].startswith(f"{item}: {item.upper()}, in ")
            outcomes.add(place.outcome)
            if place.outcome == "listed":
                assert verdicts == [True] * 7
                assert found["rules"][-1]["says"] == f"place {place.position}, page {place.page}"
                continue
            fell = order.index(place.outcome)
            assert verdicts == [True] * fell + [False] + [None] * (5 - fell)
            assert found["rules"][fell]["says"]
            assert [each["item_id"] for each in found["rivals"]] == [
                each.item_id for each in place.rivals
            ]
    assert outcomes >= {"listed", "no room", "below", "seen", "unavailable", "not in the model"}


def test_a_night_is_read_once(
    redis_client: Redis, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_NIGHTS", console._Nights())
    read = [trace(redis_client, "shop", user, None, runs)["read"] for user in USERS[:3]]
    assert read == [True, False, False]
    (runs / "shop/1/settings.json").touch()
    assert trace(redis_client, "shop", USERS[0], None, runs)["read"]


def test_a_folder_that_is_gone_is_said_to_be(redis_client: Redis, runs: Path) -> None:
    shutil.rmtree(runs / "shop/1")
    found = trace(redis_client, "shop", USERS[0], "i01", runs)
    assert "holds no manifest.json" in found["missing"]
    assert (found["rules"], found["steps"]) == ([], [])
    assert found["lines"][0] == f"{USERS[0]} is served their own list: 6 items"


def test_nothing_live(redis_client: Redis, tmp_path: Path) -> None:
    found = trace(redis_client, "shop", "u00", None, tmp_path)
    assert found["lines"] == [
        "Nothing is live in shop, so u00 is served nothing: run the night, or republish a run's "
        "folder"
    ]
    assert (found["generation"], found["missing"]) == (None, None)


def test_defaults_are_those_of_the_settings() -> None:
    found = defaults()
    assert found == {name: found[name] for name in Settings.known()}
    assert set(found) == set(Settings.known())
    assert found["topn"]["max_per_category"] == 3
    assert "redis_url" not in found
