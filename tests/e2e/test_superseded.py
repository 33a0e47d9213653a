"""A night that comes too late: readers are not taken back in time, and nothing is wrong."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from data.sample_shop.shop import Shop, ShopSettings, make_shop
from nightshelf.admin import generations
from tasks.runs.run_folder import Run
from tests.conftest import ROOT
from tests.e2e.test_command import nightly
from tests.session.prefect_server import ask

SHOP = ShopSettings(n_users=80, n_items=150, n_days=14)
DAY_2 = SHOP.end
DAY_1 = DAY_2 - timedelta(days=1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"), SHOP)


def snapshot(client: Redis) -> dict[bytes, bytes | None]:
    """Return every key with its value; the allotted number alone may move on."""
    names = set(client.scan_iter()) - {b"shelf:{behind}:fence", b"shelf:{behind}:generations"}
    return {name: client.dump(name) for name in names}


def test_a_night_older_than_what_is_live_ends_before_it_computes(
    prefect_env: dict[str, str],
    redis_url: str,
    redis_client: Redis,
    shop: Shop,
    tmp_path: Path,
) -> None:
    env = prefect_env | {"REDIS_URL": redis_url}
    where = ("--namespace", "behind", "--run-root", tmp_path)
    files = ("--events", shop.events, "--items", shop.items, *where)
    assert nightly(env, *files, "--as-of", DAY_2.isoformat()).returncode == 0
    before = snapshot(redis_client)
    assert len(before) > SHOP.n_users

    done = nightly(env, *files, "--as-of", DAY_1.isoformat())
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("Superseded: ")]
    assert said == [
        f"Superseded: generation 1 of behind, as of {DAY_2.isoformat()}, is live and newer than "
        f"{DAY_1.isoformat()}: nothing was published. To look at an older night, give it a "
        "namespace of its own."
    ]
    assert "Report:" not in done.stdout

    assert snapshot(redis_client) == before
    assert [each.state for each in generations.listing(redis_client, "behind")] == ["live"]
    run = Run("behind", 2, DAY_1, tmp_path)
    assert [path.name for path in run.folder.iterdir()] == ["settings.json"], "nothing was computed"

    (state,) = [
        each["state"]
        for each in ask(
            prefect_env, "flow_runs", {"flow_runs": {"name": {"like_": "behind as of 2026-02-28"}}}
        )
    ]
    assert (state["type"], state["name"]) == ("COMPLETED", "Superseded")
    assert state["message"] in said[0]


def test_a_night_that_is_overtaken_ends_before_it_trains(
    prefect_env: dict[str, str],
    redis_url: str,
    redis_client: Redis,
    shop: Shop,
    tmp_path: Path,
) -> None:
    command = ["python", "-m", "tests.e2e.overtaken_night"]
    where = (str(shop.events), str(shop.items), "overtaken", DAY_1.isoformat(), str(tmp_path))
    done = subprocess.run(
        [*command, *where],
        env=prefect_env | {"REDIS_URL": redis_url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["Superseded"], done.stderr
    live = generations.current(redis_client, "overtaken")
    assert live is not None
    assert (live.generation, live.as_of) == (2, DAY_2.isoformat())
    run = Run("overtaken", 1, DAY_1, tmp_path)
    steps = [line["step"] for line in run.journal()]
    assert steps[-4:] == ["take_over_rest", "choose_blend", "build_features", "count_popularity"]
    assert not (run.folder / "model").exists()
    assert [each.generation for each in generations.listing(redis_client, "overtaken")] == [2]
