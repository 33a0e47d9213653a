"""The watch as Prefect runs it: an incident from its opening to its end, by both ways to send."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis import Redis

from nightshelf.admin.incidents import incidents, last_pass
from tests.conftest import ROOT
from tests.nightshelf_ops.night import make_night
from tests.session.prefect_server import ask
from tests.tasks.watch.shop import Webhook

BLOCK = """
import sys
from prefect.blocks.notifications import CustomWebhookNotificationBlock
CustomWebhookNotificationBlock(
    name="ops", url=sys.argv[1], json_data={"title": "{{subject}}", "message": "{{body}}"}
).save("ops")
"""


def python(env: dict[str, str], *args: object) -> str:
    command = ["python", *map(str, args)]
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_an_incident_from_its_opening_to_its_end(
    prefect_env: dict[str, str], redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    env = prefect_env | {"REDIS_URL": redis_url}
    by_address, by_block = Webhook(), Webhook()
    make_night(redis_client, tmp_path)
    config, now = tmp_path / "nightshelf.toml", datetime.now(UTC) + timedelta(hours=27)
    common = ("--run-root", tmp_path, "--config", config)
    with by_address.open() as address, by_block.open() as block:
        python(env, "-c", BLOCK, block.replace("json://ops:s3cret@", "http://"))
        watch = f'[watch]\nnotify = ["{address}"]\nnotify_blocks = ["custom-webhook/ops"]\n'
        off = "".join(
            f"[watch.rules.{rule}]\non = false\n"
            for rule in ("keys_expire", "coverage", "offline_quality")
        )
        outputs = []
        for number, rules in enumerate(["", "", "[watch.rules.generation_age]\nwarning = 1e6\n"]):
            config.write_text(watch + off + rules + 'critical = "off"\n' * bool(rules))
            at = now + timedelta(minutes=5 * number)
            outputs.append(python(env, "-m", "flows.watch", *common, "--now", f"{at:%FT%T}"))
        at = now + timedelta(minutes=25)
        outputs.append(python(env, "-m", "flows.watch", *common, "--now", f"{at:%FT%T}"))
    ends = [output.splitlines()[-1].partition("UTC: ")[2] for output in outputs]
    assert ends == [
        "new or worse 0, over 0, messages sent 0",
        "new or worse 1, over 0, messages sent 2",
        "new or worse 0, over 0, messages sent 0",
        "new or worse 0, over 1, messages sent 2",
    ]
    assert by_block.received[0]["title"] == by_address.received[0]["title"]
    assert [title.split()[0] for title in by_address.titles] == ["[warning]", "[over]"]
    assert [title.split()[0] for title in by_block.titles] == ["[warning]", "[over]"]
    (incident,) = incidents(redis_client, "shop")
    assert incident.sent == {"opened": "sent", "ended": "sent"}

    done = last_pass(redis_client, "shop")
    assert done is not None
    runs = [
        run
        for run in ask(env, "flow_runs", {"flows": {"name": {"any_": ["watch"]}}})
        if run["parameters"]["run_root"] == str(tmp_path)
    ]
    ours = {"flow_runs": {"id": {"any_": [run["id"] for run in runs]}}}
    (table, *_) = ask(env, "artifacts", ours | {"artifacts": {"key": {"any_": ["shop-watch"]}}})
    for reading in done.figures:
        assert reading.rule in str(table["data"])
    assert {run["state"]["type"] for run in runs} == {"COMPLETED"}
    assert "s3cret" not in str(runs) + str(table) + "".join(outputs)
