"""Collecting as a person starts it: what it says, and how loudly."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from redis import Redis

from tests.tasks.collector.event_streams import KEY, entry_fields, event_ids, track


def collect(env: dict[str, str], log: Path) -> subprocess.CompletedProcess[str]:
    config = log.with_name("own.toml")
    config.write_text("[namespace.shop.collect]\nmax_batch_entries = 2\n")
    command = [sys.executable, "-m", "flows.collect", "--events-dir", str(log)]
    command += ["--config", str(config)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "nanobind" not in done.stderr
    return done


def test_a_minute_and_another_after_a_loss(
    prefect_env: dict[str, str], redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    env, log = prefect_env | {"REDIS_URL": redis_url}, tmp_path / "events"
    track(redis_client, "a", "b")
    redis_client.xadd(KEY, entry_fields("bad", ts="soon"))
    done = collect(env, log)
    assert (done.returncode, event_ids(log)) == (0, ["a", "b"]), done.stderr
    assert "events collected: 2 (files: 2)" in done.stdout
    apart = f"no event: 1 (ts unparsable: 1; see {log}-quarantine)"
    assert apart in done.stdout
    assert apart in done.stderr, "the log warns"
    (artifact,) = artifacts(prefect_env, "shop-collected")
    assert json.loads(artifact["data"])[0]["what"] == "events collected"

    track(redis_client, *"cdefg")
    redis_client.xtrim(KEY, maxlen=1, approximate=False)
    done = collect(env, log)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = " ".join(done.stderr.split("The collection failed:")[1].split())
    assert said.startswith("4 events of shop left Redis before they were collected; the 1 that")
    assert event_ids(log) == ["a", "b", "g"]


def artifacts(env: dict[str, str], key: str) -> list[dict[str, Any]]:
    body = {"artifacts": {"key": {"any_": [key]}}}
    request = Request(
        f"{env['PREFECT_API_URL']}/artifacts/filter",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        rows: list[dict[str, Any]] = json.load(answer)
        return rows
