"""Commands that change generations: a plan first, a question, then one change or none."""

import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from nightshelf.admin.audit import lines
from nightshelf.admin.canary import release
from nightshelf.admin.generations import current, listing, pinned
from nightshelf.admin.lifecycle import mark_bad, pin
from nightshelf.admin.plans import plan_text
from nightshelf.contract.keys import Keys
from tests.lookup.shelves import SHOP, publish, record, settle, staged, states
from tests.lookup.terminal import CHANGES, document, run, table_rows


def snapshot(client: Redis) -> dict[bytes, object]:
    """Return every key with its value and the time of its end."""
    return {key: (client.dump(key), client.expiretime(key)) for key in client.scan_iter()}


@pytest.fixture
def shop(redis_client: Redis) -> Redis:
    """Three generations, the third live, the readers settled; a fourth is staged."""
    for _ in range(3):
        publish(redis_client)
    staged(redis_client)
    settle(redis_client)
    return redis_client


def test_rollback(redis_client: Redis, redis_url: str) -> None:
    for _ in range(4):
        publish(redis_client)
    result = run(redis_url, "rollback", "--yes")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "shop: from generation 4 (as of 2026-03-05) back to generation 3 (as of 2026-03-04)",
        "shop: generation 3 is live",
        "Forward again: nightshelf promote 4, or the next night",
    ]
    result = run(redis_url, "rollback", "--to", "1", "--yes", "--json")
    assert document(result) == {
        "namespace": "shop",
        "from": 3,
        "to": 1,
        "pinned": None,
        "canary": None,
        "states": {"1": "live", "3": "replaced"},
        "dry_run": False,
    }
    assert states(redis_client) == {1: "live", 2: "replaced", 3: "replaced", 4: "replaced"}
    assert document(run(redis_url, "rollback", "--to", "1", "--json"))["to"] == 1


@pytest.mark.parametrize(
    ("args", "reason"),
    [([], "nothing-older"), (["--to", "9"], "unknown"), (["--to", "2"], "not-staged")],
)
def test_rollback_refused(
    redis_client: Redis, redis_url: str, args: list[str], reason: str
) -> None:
    publish(redis_client)
    staged(redis_client)
    result = run(redis_url, "rollback", "--yes", *args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"refused ({reason}): ")
    result = run(redis_url, "rollback", "--yes", "--json", *args)
    assert result.exit_code == 1
    assert document(result)["reason"] == reason
    assert states(redis_client) == {1: "live", 2: "staged"}


def test_rollback_without_a_terminal_needs_a_yes(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    publish(redis_client)
    result = run(redis_url, "rollback")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    result = run(redis_url, "rollback", "--json")
    assert result.exit_code == 2
    assert "add --yes" in document(result)["error"]
    assert states(redis_client) == {1: "previous", 2: "live"}


@pytest.mark.parametrize(("typed", "code", "live"), [("y\n", 0, 1), ("n\n", 1, 2), ("\n", 1, 2)])
def test_rollback_asks_at_a_terminal(
    redis_client: Redis, redis_url: str, typed: str, code: int, live: int
) -> None:
    publish(redis_client)
    publish(redis_client)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed.encode())
        done = subprocess.run(
            [sys.executable, "-c", "from nightshelf.cli.main import main; main()", "rollback"],
            stdin=theirs,
            capture_output=True,
            text=True,
            env={**os.environ, "REDIS_URL": redis_url},
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == code, done.stderr
    assert "from generation 2" in done.stdout
    assert "Go ahead?" in done.stderr
    manifest = current(redis_client, SHOP)
    assert manifest is not None
    assert manifest.generation == live


def test_rollback_stops_where_the_world_moved_while_it_asked(
    redis_client: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(redis_client)
    publish(redis_client)

    def slowly(*args: Any) -> str:
        publish(redis_client)
        return plan_text(*args)

    monkeypatch.setattr("nightshelf.cli.generations.plan_text", slowly)
    result = run(redis_url, "rollback", "--yes")
    assert result.exit_code == 1
    assert "moved meanwhile" in result.stderr
    assert states(redis_client) == {1: "replaced", 2: "previous", 3: "live"}


PLANS = [
    (
        ["rollback", "--mark-bad"],
        "shop: from generation 3 (as of 2026-03-04) back to generation 2 (as of 2026-03-03); "
        "generation 3 is marked bad",
        "shop: generation 2 is live\nGeneration 3 never goes live again; the next night does",
        {1: "replaced", 2: "live", 3: "bad", 4: "staged"},
    ),
    (
        ["promote", "4"],
        "shop: from generation 3 (as of 2026-03-04) on to generation 4 (as of 2026-03-05)",
        "shop: generation 4 is live",
        {1: "replaced", 2: "replaced", 3: "previous", 4: "live"},
    ),
    (
        ["pin", "3"],
        "shop: pinned to generation 3: no night goes live",
        "shop: generation 3 is live, pinned",
        {1: "replaced", 2: "previous", 3: "live", 4: "staged"},
    ),
    (
        ["pin", "1"],
        "shop: from generation 3 (as of 2026-03-04) back to generation 1 (as of 2026-03-02); "
        "pinned to generation 1: no night goes live",
        "shop: generation 1 is live, pinned",
        {1: "live", 2: "replaced", 3: "replaced", 4: "staged"},
    ),
    (
        ["canary", "4", "--share", "2.5"],
        "shop: generation 4 as a canary for 2.5 % of the users",
        "shop: generation 3 is live, 4 a canary for 2.5 %",
        {1: "replaced", 2: "previous", 3: "live", 4: "staged"},
    ),
    (
        ["extend"],
        "shop: every key of generation 3 (as of 2026-03-04) gets its TTL of 1 h again",
        "shop: 11 of 11 keys extended",
        {1: "replaced", 2: "previous", 3: "live", 4: "staged"},
    ),
    (
        ["extend", "2"],
        "shop: every key of generation 2 (as of 2026-03-03) gets its TTL of 1 h again",
        "shop: 11 of 11 keys extended",
        {1: "replaced", 2: "previous", 3: "live", 4: "staged"},
    ),
    (
        ["retire", "1"],
        "shop: delete the 11 keys of generation 1 (as of 2026-03-02), for good",
        "shop: 11 keys deleted",
        {1: "retired", 2: "previous", 3: "live", 4: "staged"},
    ),
    (
        ["retire", "2", "--force"],
        "shop: delete the 11 keys of generation 2 (as of 2026-03-03), for good",
        "shop: 11 keys deleted",
        {1: "replaced", 2: "retired", 3: "live", 4: "staged"},
    ),
]


@pytest.mark.parametrize(("args", "plan", "done", "after"), PLANS, ids=lambda _: "")
def test_a_change_is_said_and_done(
    shop: Redis, redis_url: str, args: list[str], plan: str, done: str, after: dict[int, str]
) -> None:
    result = run(redis_url, *args, "--yes")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [plan, *done.splitlines()]
    assert states(shop) == after


@pytest.mark.parametrize(("args", "plan", "done", "after"), PLANS, ids=lambda _: "")
def test_a_dry_run_shows_it_and_changes_nothing(
    shop: Redis, redis_url: str, args: list[str], plan: str, done: str, after: dict[int, str]
) -> None:
    before = snapshot(shop)
    result = run(redis_url, *args, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [plan, "Dry run: nothing was changed"]
    assert document(run(redis_url, *args, "--dry-run", "--yes", "--json"))["dry_run"] is True
    assert snapshot(shop) == before


def test_changes_as_json(shop: Redis, redis_url: str) -> None:
    def said(*args: str) -> Any:
        found = document(run(redis_url, *args, "--yes", "--json"))
        assert found.pop("namespace") == "shop"
        assert found.pop("dry_run") is False
        return found

    held: dict[str, Any] = {"from": 3, "to": 3, "pinned": 3, "canary": None, "states": {}}
    assert said("pin", "3") == held
    assert said("pin", "3") == held
    assert said("promote", "4", "--force") == {
        "from": 3,
        "to": 4,
        "pinned": 4,
        "canary": None,
        "states": {"2": "replaced", "3": "previous", "4": "live"},
    }
    assert said("rollback", "--mark-bad") == {
        "from": 4,
        "to": 3,
        "pinned": 3,
        "canary": None,
        "states": {"3": "live", "4": "bad"},
    }
    assert said("unpin") == {
        "from": 3,
        "to": 3,
        "pinned": None,
        "canary": None,
        "states": {},
    }
    assert said("extend") == {"generation": 3, "keys": 11}
    assert said("extend", "1") == {"generation": 1, "keys": 11}
    settle(shop)
    assert said("retire", "1") == {"generation": 1, "keys": 11}


def test_changes_stand_in_the_audit(shop: Redis, redis_url: str) -> None:
    run(redis_url, "pin", "1", "--dry-run")
    run(redis_url, "promote", "2", "--yes")
    assert lines(shop, SHOP, 9) == [], "a dry run and a refusal change nothing"
    run(redis_url, "rollback", "--to", "1", "--mark-bad", "--yes")
    run(redis_url, "forget", "ann", "--yes")
    (line,) = lines(shop, SHOP, 9)
    assert (line.action, line.what) == ("rollback", "to 1, mark_bad True")
    assert line.who.endswith("(command line)")
    assert line.outcome.startswith("done: shop: from generation 3 (as of 2026-03-04) back to")


def test_a_change_that_is_not_in_the_audit_says_so(shop: Redis, redis_url: str) -> None:
    shop.set(Keys(SHOP).audit, "no stream")
    result = run(redis_url, "pin", "3", "--yes")
    assert result.exit_code == 0
    assert "done, but not in the audit: the stream shelf:{shop}:audit" in result.stderr
    assert pinned(shop, SHOP) == 3


def test_retiring_waits_for_the_readers_of_before(redis_client: Redis, redis_url: str) -> None:
    for _ in range(3):
        publish(redis_client)
    result = run(redis_url, "retire", "1", "--yes")
    assert result.exit_code == 0, result.stderr
    assert re.match(r"Waiting [123] s: readers may still read what was live before", result.stderr)
    assert states(redis_client) == {1: "retired", 2: "previous", 3: "live"}


def test_a_canary_as_json(shop: Redis, redis_url: str) -> None:
    found = document(run(redis_url, "canary", "4", "--share", "5", "--yes", "--json"))
    assert found["canary"].pop("since")
    assert found == {
        "namespace": "shop",
        "from": 3,
        "to": 3,
        "pinned": None,
        "canary": {"generation": 4, "share": 5.0, "default_model": "als"},
        "states": {},
        "dry_run": False,
    }
    found = document(run(redis_url, "rollback", "--mark-bad", "--yes", "--json"))
    assert (found["from"], found["to"], found["canary"]) == (3, 3, None)
    assert found["states"] == {"4": "bad"}


@pytest.mark.parametrize(
    ("args", "plan", "done"),
    [
        (["rollback"], "the canary of generation 4 ends", "generation 3 is live"),
        (
            ["rollback", "--mark-bad"],
            "the canary of generation 4 ends; generation 4 is marked bad",
            "generation 3 is live",
        ),
        (
            ["promote", "4"],
            "from generation 3 (as of 2026-03-04) on to generation 4 (as of 2026-03-05); "
            "the canary of generation 4 ends",
            "generation 4 is live",
        ),
        (
            ["canary", "4", "--share", "50"],
            "generation 4 as a canary for 50 % of the users",
            "generation 3 is live, 4 a canary for 50 %",
        ),
        (
            ["pin", "3"],
            "pinned to generation 3: no night goes live",
            "generation 3 is live, pinned, 4 a canary for 5 %",
        ),
    ],
    ids=lambda _: "",
)
def test_what_follows_a_canary_is_said(
    shop: Redis, redis_url: str, args: list[str], plan: str, done: str
) -> None:
    release(shop, SHOP, 4, 5)
    assert run(redis_url, *args, "--yes").stdout.splitlines() == [f"shop: {plan}", f"shop: {done}"]


def test_the_canary_is_shown(shop: Redis, redis_url: str) -> None:
    assert document(run(redis_url, "status", "--json"))["canary"] is None
    live, four = listing(shop, SHOP)[1], listing(shop, SHOP)[0]
    figures = {"coverage": 0.0, "diversity": 0.51234, "ndcg": 0.1}
    gates = {"overlap": "block", "coverage": "warn", "bytes": "warn", "lists": "pass"}
    record(shop, replace(four, metrics=figures, gates=gates))
    record(shop, replace(live, gates={"lists": "pass"}))
    release(shop, SHOP, 4, 5)
    lines = run(redis_url, "status").stdout.splitlines()
    at = lines.index("Canary: generation 4 for 5 % of the users")
    assert lines[at + 1 : at + 3] == ["  3: 1 lists", "  4: 1 lists, coverage 0, diversity 0.512"]
    assert document(run(redis_url, "status", "--json"))["canary"]["generation"] == 4
    rows = table_rows(run(redis_url, "generations"))
    assert [row[1] for row in rows] == ["staged, canary 5 %", "live", "previous", "replaced"]
    assert [row[-1] for row in rows] == [
        "block: overlap; warn: bytes, coverage",
        "passed",
        "-",
        "-",
    ]


def test_get_is_what_the_user_reads(shop: Redis, redis_url: str) -> None:
    release(shop, SHOP, 4, 100)
    assert document(run(redis_url, "get", "ann", "--json"))["generation"] == 4


def test_unpin(shop: Redis, redis_url: str) -> None:
    assert run(redis_url, "unpin").stdout == "shop: generation 3 is live\n"
    pin(shop, SHOP, 3)
    assert run(redis_url, "unpin", "--yes").stdout.splitlines() == [
        "shop: no longer pinned to generation 3: the next night goes live",
        "shop: generation 3 is live",
    ]
    assert pinned(shop, SHOP) is None
    assert run(redis_url, "unpin", "-s", "empty").stdout == "empty: nothing is live\n"


def test_the_pin_is_shown(shop: Redis, redis_url: str) -> None:
    pin(shop, SHOP, 3)
    assert (
        "Pinned to generation 3: no night goes live until it is unpinned"
        in run(redis_url, "status").stdout.splitlines()
    )
    assert document(run(redis_url, "status", "--json"))["pinned"] == 3
    column = [row[1] for row in table_rows(run(redis_url, "generations"))]
    assert column == ["staged", "live, pinned", "previous", "replaced"]
    assert document(run(redis_url, "generations", "--json"))["pinned"] == 3
    pin(shop, SHOP, 2)
    assert "pinned" not in run(redis_url, "generations").stdout.splitlines()[3]


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["promote", "2"], "superseded"),
        (["promote", "4"], "pinned"),
        (["promote", "5", "--force"], "bad"),
        (["pin", "4"], "not-staged"),
        (["pin", "9"], "unknown"),
        (["rollback", "--to", "5"], "bad"),
        (["rollback", "--to", "3", "--mark-bad"], "live"),
        (["extend", "9"], "unknown"),
        (["extend", "-s", "empty"], "nothing-live"),
        (["retire", "2"], "previous"),
        (["retire", "3", "--force"], "live"),
        (["retire", "4"], "staged"),
        (["canary", "3", "--share", "5"], "not-staged"),
        (["canary", "5", "--share", "5"], "bad"),
        (["canary", "9", "--share", "5"], "unknown"),
        (["canary", "4", "--share", "5", "-s", "empty"], "nothing-live"),
    ],
    ids=" ".join,
)
def test_changes_that_are_refused(
    shop: Redis, redis_url: str, args: list[str], reason: str
) -> None:
    mark_bad(shop, SHOP, staged(shop))
    pin(shop, SHOP, 3)
    before = snapshot(shop)
    for how in ("--yes", "--dry-run"):
        result = run(redis_url, *args, how)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"refused ({reason}): ")
        assert document(run(redis_url, *args, how, "--json"))["reason"] == reason
    assert snapshot(shop) == before


@pytest.mark.parametrize("args", CHANGES, ids=lambda args: args[0])
def test_no_change_without_a_yes(shop: Redis, redis_url: str, args: list[str]) -> None:
    shop.hset(Keys(SHOP).fence, "pinned", "3")
    args = {"promote": ["promote", "4", "--force"]}.get(args[0], args)
    before = snapshot(shop)
    result = run(redis_url, *args)
    assert result.exit_code == 2
    assert "nobody is at a terminal to confirm; add --yes" in result.stderr
    result = run(redis_url, *args, "--json")
    assert result.exit_code == 2
    assert "add --yes" in document(result)["error"]
    assert snapshot(shop) == before
