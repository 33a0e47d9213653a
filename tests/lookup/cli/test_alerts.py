"""The command `nightshelf alerts`."""

import json
from dataclasses import asdict, replace

from redis import Redis
from typer.testing import CliRunner, Result

from nightshelf.admin.incidents import KEPT, incidents, write_pass
from nightshelf.cli import main as cli
from nightshelf.contract.incident import Incident, Reading, WatchPass
from nightshelf.contract.keys import Keys

OPEN = Incident(
    "ctr-1",
    "ctr",
    "critical",
    "2026-03-01T12:00:00+00:00",
    says="Click-through rate: 2 %\x1b[31m, below 3 %",
    changed=("events: 10 -> 4",),
    advice="See whether clicks are tracked.",
    runbook="docs/runbook.md#users-click-less",
    sent={"opened": "sent"},
)
OVER = replace(OPEN, id="p95-1", rule="p95", ended="2026-03-01T13:00:00+00:00")
PASS = WatchPass(
    "2026-03-01T13:00:00+00:00",
    (
        Reading("ctr", 0.02, "critical", "Click-through rate: 2 %", 0.03, "", 0.06),
        Reading("p95", None, "unknown", "p95: unknown"),
    ),
)


def run(url: str, *args: str) -> Result:
    return CliRunner().invoke(cli.app, ["alerts", *args], env={"REDIS_URL": url, "COLUMNS": "150"})


def test_nothing_has_run(redis_url: str, redis_client: Redis) -> None:
    done = run(redis_url)
    assert done.exit_code == 0
    assert "0 open, 0 over\nno watch has run yet: flows/watch.py" in done.output
    assert json.loads(run(redis_url, "--json").output) == {
        "namespace": "shop",
        "incidents": [],
        "last_pass": None,
    }


def test_incidents_are_listed(redis_url: str, redis_client: Redis) -> None:
    write_pass(redis_client, "shop", PASS, [OVER, OPEN])
    lines = run(redis_url).output.splitlines()
    rows = [line.split()[:2] for line in lines if line.startswith(("critical", "over"))]
    assert rows == [["critical", "ctr"], ["over", "p95"]]
    assert "ctr: See whether clicks are tracked. docs/runbook.md#users-click-less" in lines
    assert "1 open, 1 over" in lines
    assert lines[-1].endswith("ago: 0 ok, 0 warning, 1 critical, 1 unknown")
    assert "\x1b" not in "".join(lines)
    document = json.loads(run(redis_url, "--json").output)
    assert document["incidents"] == json.loads(json.dumps([asdict(OPEN), asdict(OVER)]))
    assert document["last_pass"] == json.loads(PASS.to_json())


def test_redis_keeps_the_open_ones_and_the_last_that_ended(
    redis_url: str, redis_client: Redis
) -> None:
    ended = [
        replace(OVER, id=f"p95-{n}", since=f"2026-03-01T12:{n // 60:02}:{n % 60:02}+00:00")
        for n in range(KEPT + 5)
    ]
    old = replace(OPEN, since="2020-01-01T00:00:00+00:00")
    write_pass(redis_client, "shop", PASS, [old, *ended])
    found = incidents(redis_client, "shop")
    assert found[0] == old
    assert [each.id for each in found[1:]] == [f"p95-{n}" for n in range(KEPT + 4, 4, -1)]


def test_what_cannot_be_read_is_said(redis_url: str, redis_client: Redis) -> None:
    for value in ("{", "[]", '{"id": 1}'):
        redis_client.hset(Keys("shop").incidents, "x", value)
        done = run(redis_url)
        assert done.exit_code == 1
        assert "holds what cannot be read" in done.output
        assert "Traceback" not in done.output
