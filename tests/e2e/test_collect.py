"""Collecting as a person starts it: what it says, and how loudly."""

import json
import subprocess
from pathlib import Path
from typing import Any

from redis import Redis

from tests.session.prefect_server import ask
from tests.tasks.collector.event_streams import KEY, entry_fields, event_ids, track


def collect(env: dict[str, str], log: Path) -> subprocess.CompletedProcess[str]:
    config = log.with_name("own.toml")
    config.write_text("[namespace.shop.collect]\nmax_batch_entries = 2\n")
    command = ["python", "-m", "flows.collect", "--events-dir", str(log)]
    command += ["--config", str(config)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


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
    shown = artifact(prefect_env, log)
    assert json.loads(shown["data"])[0]["what"] == "events collected"

    track(redis_client, *"cdefg")
    redis_client.xtrim(KEY, maxlen=1, approximate=False)
    done = collect(env, log)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = " ".join(done.stderr.split("The collection failed:")[1].split())
    assert said.startswith("4 events of shop left Redis before they were collected; the 1 that")
    assert event_ids(log) == ["a", "b", "g"]


def artifact(env: dict[str, str], log: Path) -> dict[str, Any]:
    """Return what the run that collected into this log has shown."""
    runs = ask(env, "flow_runs", {"flows": {"name": {"any_": ["collect"]}}})
    (mine,) = (run["id"] for run in runs if run["parameters"]["events_dir"] == str(log))
    which = {"flow_runs": {"id": {"any_": [mine]}}}
    (shown,) = ask(env, "artifacts", which | {"artifacts": {"key": {"any_": ["shop-collected"]}}})
    return shown
