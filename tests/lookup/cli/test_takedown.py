"""Commands that remove items and users: a plan first, a question, and the remaining traces."""

import json
from typing import Any

import pytest
from redis import Redis

from nightshelf.admin.blocklist import block, blocked
from nightshelf.admin.generations import allot, stage
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from tests.lookup.shelves import SHOP, publish
from tests.lookup.terminal import document, run, table_rows

KEYS = Keys(SHOP)
LOG = [
    "The event log and the run folders may hold ann still; a log that does brings",
    "the user back with the next night or refresh",
]


@pytest.fixture
def shop(redis_client: Redis) -> Redis:
    """Two generations; Ann has two lists, an acted set and two of three events."""
    publish(redis_client)
    publish(redis_client)
    redis_client.zadd(KEYS.masked("ann"), {"A1": 1.0})
    for number, user in enumerate(["ann", "bob", "ann"], start=1):
        redis_client.xadd(KEYS.events, {"user_id": user}, id=f"{number}-0")
    return redis_client


ANN = [KEYS.list(1, "als", "ann"), KEYS.list(2, "als", "ann"), KEYS.masked("ann")]


def test_block_and_unblock_say_what_they_do(shop: Redis, redis_url: str) -> None:
    result = run(redis_url, "block", "B2", "A2", "--yes")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "shop: B2, A2 off every list, fallback and similar list (not in the live catalogue: B2)",
        "shop: blocked A2, B2",
    ]
    assert [row[1] for row in table_rows(run(redis_url, "get", "ann"))] == ["C2"]
    assert "Blocked: 2 items, on every path" in run(redis_url, "status").stdout.splitlines()
    assert document(run(redis_url, "status", "--json"))["n_blocked"] == 2
    result = run(redis_url, "unblock", "A2", "--yes")
    assert result.stdout.splitlines() == [
        "shop: A2 may be shown again",
        "shop: blocked B2",
    ]
    result = run(redis_url, "unblock", "B2", "--yes")
    assert result.stdout.splitlines()[-1] == "shop: nothing blocked"
    assert "Blocked" not in run(redis_url, "status").stdout


def test_block_and_unblock_as_json(shop: Redis, redis_url: str) -> None:
    block(shop, SHOP, ["A1"])
    assert document(run(redis_url, "block", "B2", "A2", "--yes", "--json")) == {
        "namespace": "shop",
        "items": ["B2", "A2"],
        "blocked": ["A1", "A2", "B2"],
        "dry_run": False,
    }
    assert document(run(redis_url, "unblock", "A1", "none", "--yes", "--json")) == {
        "namespace": "shop",
        "items": ["A1", "none"],
        "blocked": ["A2", "B2"],
        "dry_run": False,
    }


@pytest.mark.parametrize("verb", ["block", "unblock"])
def test_a_dry_run_changes_nothing(shop: Redis, redis_url: str, verb: str) -> None:
    block(shop, SHOP, ["A1"])
    for item in ("A1", "B2"):
        result = run(redis_url, verb, item, "--dry-run")
        assert result.exit_code == 0
        assert result.stdout.splitlines()[1:] == ["Dry run: nothing was changed"]
        found = document(run(redis_url, verb, item, "--dry-run", "--json"))
        assert (found["blocked"], found["dry_run"]) == (["A1"], True)
        assert blocked(shop, SHOP) == ["A1"]


def test_of_many_the_first_are_named(redis_client: Redis, redis_url: str) -> None:
    items = [f"i{number:02}" for number in range(13)]
    first = "i00, i01, i02, i03, i04, i05, i06, i07, i08, i09"
    result = run(redis_url, "block", *items, "--yes")
    assert result.stdout.splitlines() == [
        f"shop: {first} and 3 more off every list, fallback and similar list",
        f"shop: blocked {first} and 3 more",
    ]
    run(redis_url, "unblock", *items[10:], "--yes")
    assert run(redis_url, "unblock", "x", "--yes").stdout.endswith(f"blocked {first}\n")


def test_an_item_does_not_steer_the_terminal(redis_client: Redis, redis_url: str) -> None:
    result = run(redis_url, "block", "[red]\x1b[2J", "--yes")
    assert "\x1b" not in result.stdout
    assert "[red]" in result.stdout


def test_blocked_in_its_own_namespace(shop: Redis, redis_url: str) -> None:
    run(redis_url, "block", "A2", "-s", "home", "--yes")
    assert blocked(shop, "home") == ["A2"]
    assert blocked(shop, SHOP) == []


def test_forget_says_what_it_finds_and_proves_it(shop: Redis, redis_url: str) -> None:
    result = run(redis_url, "forget", "ann", "--yes")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "shop: delete 3 keys and 2 stream entries of user ann, for good",
        "Read back: Redis holds nothing of ann",
        *LOG,
    ]
    assert shop.exists(*ANN) == 0
    assert shop.xlen(KEYS.events) == 1
    result = run(redis_url, "forget", "ann", "--yes")
    assert result.stdout.startswith("shop: delete 0 keys and 0 stream entries of user ann")


def test_forget_as_json(shop: Redis, redis_url: str) -> None:
    found = {
        "namespace": "shop",
        "user": "ann",
        "keys": ANN,
        "entries": ["1-0", "3-0"],
        "queued": False,
        "staging": [],
    }
    everything = {"keys": found["keys"], "entries": found["entries"], "queued": False}
    assert document(run(redis_url, "forget", "ann", "--dry-run", "--json")) == {
        **found,
        "left": everything,
        "dry_run": True,
    }
    assert shop.exists(*ANN) == 3
    assert document(run(redis_url, "forget", "ann", "--yes", "--json")) == {
        **found,
        "left": {"keys": [], "entries": [], "queued": False},
        "dry_run": False,
    }


def test_a_dry_run_names_what_would_go(shop: Redis, redis_url: str) -> None:
    result = run(redis_url, "forget", "ann", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "shop: delete 3 keys and 2 stream entries of user ann, for good",
        "Dry run: nothing was changed",
        *(f"  {key}" for key in ANN),
        "  stream entry 1-0",
        "  stream entry 3-0",
    ]
    assert shop.exists(*ANN) == 3


def test_a_night_that_is_being_staged_is_reported(shop: Redis, redis_url: str) -> None:
    number = allot(shop, SHOP)
    stage(shop, SHOP, Manifest(number, "2026-03-01T00:00:00+00:00"))
    lines = run(redis_url, "forget", "ann", "--yes").stdout.splitlines()
    assert lines[2] == "Generation 3 is being staged: forget again when that is done"
    assert document(run(redis_url, "forget", "ann", "--yes", "--json"))["staging"] == [3]


def test_what_comes_back_is_an_error(
    shop: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that is not stopped has the user's row there again at once."""
    gone = Redis.unlink

    def put_back(client: Redis, *names: Any) -> Any:
        done = gone(client, *names)
        client.set(KEYS.user(2, "ann"), json.dumps({}))
        return done

    monkeypatch.setattr(Redis, "unlink", put_back)
    result = run(redis_url, "forget", "ann", "--yes")
    assert result.exit_code == 1
    assert f"  {KEYS.user(2, 'ann')}" in result.stdout.splitlines()
    assert "Read back" not in result.stdout
    assert result.stderr == "ann is written to still: stop who writes, and forget again\n"
    result = run(redis_url, "forget", "ann", "--yes", "--json")
    assert result.exit_code == 1
    assert document(result)["left"] == {
        "keys": [KEYS.user(2, "ann")],
        "entries": [],
        "queued": False,
    }
