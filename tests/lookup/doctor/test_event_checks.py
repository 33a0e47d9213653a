"""The findings of `doctor` on tracked events that wait, and on those never collected."""

from pathlib import Path

import pytest
from redis import Redis

from nightshelf import Event, Shelf
from nightshelf.client.settings import ReadSettings
from nightshelf.contract.keys import Keys
from nightshelf.doctor.examine import examine
from nightshelf.doctor.finding import Finding
from tasks.collector.collect import CollectSettings, collect
from tests.lookup.shelves import SHOP, publish

KEY = Keys(SHOP).events


def found(client: Redis) -> Finding:
    return examine(client, SHOP, 86_400)["events"]


def fill(client: Redis, n: int) -> None:
    assert Shelf(client, SHOP).record([Event("ann", "click", "A1") for _ in range(n)]).recorded


def test_from_the_first_event_to_one_that_is_lost(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(redis_client)
    assert found(redis_client) == Finding("ok", "none was ever tracked")
    fill(redis_client, 3)
    waits = found(redis_client)
    assert waits.outcome == "warn"
    assert waits.found.startswith("3 wait to be collected")
    assert waits.found.endswith("nothing has ever collected any")
    assert collect(redis_client, SHOP, tmp_path / "log", CollectSettings()).n_events == 3
    assert found(redis_client) == Finding("ok", "all are collected")

    fill(redis_client, 10)
    assert found(redis_client).outcome == "ok"
    monkeypatch.setattr(ReadSettings, "max_events", 20)
    assert "from 20 on new ones are refused" in found(redis_client).found
    monkeypatch.setattr(ReadSettings, "max_events", 10)
    assert (found(redis_client).outcome, "are refused" in found(redis_client).found) == (
        "fail",
        True,
    )

    redis_client.xtrim(KEY, maxlen=6, approximate=False)
    lost = found(redis_client)
    assert (lost.outcome, lost.found) == ("fail", "4 events left Redis before they were collected")
    collected = collect(redis_client, SHOP, tmp_path / "log", CollectSettings())
    assert (collected.n_events, collected.n_lost) == (6, 4)
    assert found(redis_client) == Finding("ok", "all are collected")


def test_an_event_that_has_waited_for_hours(redis_client: Redis) -> None:
    publish(redis_client)
    redis_client.xadd(KEY, {"event_id": "e1"}, id="1700000000000-0")
    redis_client.xgroup_create(KEY, "collector", "0-0")
    assert found(redis_client).outcome == "warn"
