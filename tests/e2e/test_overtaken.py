"""A later number goes live while a night computes: by its number alone it would be too late."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from data.sample_shop.shop import ShopSettings, make_shop
from nightshelf.admin import generations
from tests.conftest import ROOT

SHOP = ShopSettings(n_users=80, n_items=150, n_days=14)
AS_OF = "2026-03-10T00:00:00+00:00"

#: The night, and somebody who puts a generation of an earlier date live just before it stages.
_NIGHT = """
import sys
from datetime import datetime
from pathlib import Path
from redis import Redis
from flows import _steps as steps
from flows import nightly as night
from nightshelf.admin import generations
from tests.lookup.shelves import publish

events, items, root, url, as_of = sys.argv[1:]
client, estimate_memory = Redis.from_url(url), steps.estimate_memory

def overtaken(*given):
    if generations.current(client, "raced") is None:
        publish(client, namespace="raced")
    return estimate_memory(*given)

steps.estimate_memory = overtaken
night.nightly(Path(events), Path(items), None, "raced", datetime.fromisoformat(as_of), Path(root))
"""


Night = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def night(prefect_env: dict[str, str], redis_url: str, tmp_path: Path) -> Night:
    shop, runs = make_shop(tmp_path / "shop", SHOP), tmp_path / "runs"
    gates = {"NIGHTSHELF_GATES__JACCARD_MIN": "0", "NIGHTSHELF_GATES__RANK_BIASED_OVERLAP_MIN": "0"}
    env = prefect_env | {"REDIS_URL": redis_url} | gates

    def start(as_of: str) -> subprocess.CompletedProcess[str]:
        command = ["python", "-c", _NIGHT, shop.events, shop.items, runs, redis_url, as_of]
        return subprocess.run(
            list(map(str, command)), env=env, cwd=ROOT, capture_output=True, text=True, check=False
        )

    return start


def test_a_night_goes_live_though_a_later_number_of_an_earlier_date_did(
    night: Night, redis_client: Redis, tmp_path: Path
) -> None:
    done, runs = night(AS_OF), tmp_path / "runs"
    assert done.returncode == 0, done.stderr
    live = generations.current(redis_client, "raced")
    assert live is not None
    assert (live.generation, live.as_of) == (3, AS_OF)
    lines = map(json.loads, (runs / "raced/3/steps.jsonl").read_text().splitlines())
    taken = [line["step"] for line in lines if line.get("taken_from") == 1]
    assert taken[0] == "clean_events"
    assert "top_n" in taken


def test_a_night_that_slept_stays_fenced_where_a_later_number_has_seen_as_much(
    night: Night, redis_client: Redis
) -> None:
    """After a rollback nobody wants the same lists again from another night."""
    done = night("2026-03-03T00:00:00+00:00")
    assert done.returncode == 1
    assert "a newer one has been live already" in done.stderr
    live = generations.current(redis_client, "raced")
    assert live is not None
    assert live.generation == 2
