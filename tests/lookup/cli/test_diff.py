"""The command `diff`, on generations with planted changes, as a person and a script run it."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from redis import Redis
from typer.testing import CliRunner, Result

from nightshelf.admin.generations import current, flip, listing, stage
from nightshelf.admin.retention import retire
from nightshelf.cli import diff as cli_diff
from nightshelf.contract.chosen_blend import ChosenBlend
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.diff.read import find_users, read_pairs
from tests.lookup.shelves import SHOP, TTL_S, age, ranked, record, settle
from tests.lookup.terminal import document, table_rows

APP = typer.Typer()
APP.callback()(lambda: None)  # so that the only command has a name, as it has in `nightshelf`
APP.add_typer(cli_diff.app)

KEYS = Keys(SHOP)


def run(url: str, *args: str) -> Result:
    return CliRunner().invoke(APP, ["diff", *args], env={"REDIS_URL": url, "COLUMNS": "160"})


def shelve(
    client: Redis,
    generation: int,
    lists: Mapping[str, Sequence[str]],
    segments: Mapping[str, str | None] | None = None,
    titles: Mapping[str, str] | None = None,
    *,
    live: bool = True,
) -> None:
    """Publish a generation of these lists, users' segments and items' titles."""
    values = {KEYS.list(generation, "als", user): ranked(*lists[user]).to_json() for user in lists}
    rows = {
        **{KEYS.user(generation, u): {"segment": name} for u, name in (segments or {}).items()},
        **{KEYS.item(generation, i): {"title": title} for i, title in (titles or {}).items()},
    }
    values |= {key: json.dumps(row).encode() for key, row in rows.items()}
    values[KEYS.popular(generation, "all")] = ranked("x").to_json()
    with client.pipeline(transaction=False) as pipe:
        for key, value in values.items():
            pipe.set(key, value, ex=TTL_S)
        pipe.execute()
    manifest = Manifest(
        generation=generation,
        as_of=f"2026-03-{generation:02}T00:00:00+00:00",
        staged_at=datetime.now(UTC).isoformat(timespec="seconds"),
        ttl_s=TTL_S,
        counts={
            "list": len(lists),
            "popular": 1,
            "user": len(segments or {}),
            "item": len(titles or {}),
        },
        n_bytes=1_000 * generation,
        digest=f"{generation:064x}",
        config_hash="c0ffee",
    )
    stage(client, SHOP, manifest)
    if live:
        flip(client, SHOP, generation)


@pytest.fixture
def shop(redis_client: Redis) -> Redis:
    """Generations 1 and 11 (one number begins the other): ann stays, bob swaps, cid is all new."""
    shelve(
        redis_client,
        1,
        {"ann": "xy", "bob": "xy", "cid": "xy", "dot": "x"},
        {"ann": "gold", "bob": "tin", "cid": "tin", "dot": "gold"},
        {"x": "Lamp", "y": "Shade"},
    )
    shelve(
        redis_client,
        11,
        {"ann": "xy", "bob": "yx", "cid": "zw", "eve": "z"},
        {"ann": "gold", "bob": "gold", "cid": None},
        {"y": "Shade", "z": "[bold]Torch\x1b[2J"},
        live=False,
    )
    return redis_client


def test_as_json(shop: Redis, redis_url: str) -> None:
    result = run(redis_url, "1", "11", "--top", "2", "--users", "1", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    counts = ("users", "only_a", "only_b")
    moves = (*counts, "jaccard", "rank_biased_overlap", "identical", "first_changed")
    shown = ("item_id", "title", "a_lists", "b_lists", "a_share", "b_share", "difference")
    torch = "[bold]Torch\x1b[2J"
    z = dict(zip(shown, ("z", torch, 0, 2, 0.0, 0.5, 0.5), strict=True))
    w = dict(zip(shown, ("w", None, 0, 1, 0.0, 0.25, 0.25), strict=True))
    x = dict(zip(shown, ("x", "Lamp", 4, 2, 1.0, 0.5, -0.5), strict=True))
    common = {"lists": 4, "config_hash": "c0ffee", "choice": None}
    assert document(result) == {
        "namespace": "shop",
        "a": {
            **{"generation": 1, "state": "live", "as_of": "2026-03-01T00:00:00+00:00"},
            **{"keys": 11, "bytes": 1_000, **common},
        },
        "b": {
            **{"generation": 11, "state": "staged", "as_of": "2026-03-11T00:00:00+00:00"},
            **{"keys": 10, "bytes": 11_000, **common},
        },
        "same_config": True,
        "users_found": 5,
        "users_read": 5,
        "corrupt": {"count": 0, "keys": []},
        "overall": dict(zip(moves, (3, 1, 1, 0.666667, 0.633333, 0.333333, 0.666667), strict=True)),
        "segments": [
            {"segment": name, **dict(zip(moves, values, strict=True))}
            for name, values in (
                ("gold", (2, 1, 0, 1.0, 0.95, 0.5, 0.5)),
                ("none", (1, 0, 1, 0.0, 0.0, 0.0, 1.0)),
            )
        ],
        "n_entered": 2,
        "n_left": 0,
        "n_shifts": 4,
        "entered": [z, w],
        "left": [],
        "shifts": [x, z],
        "changed": [
            {
                "user": "cid",
                "segment": "none",
                "rank_biased_overlap": 0.0,
                "jaccard": 0.0,
                "ranks": [
                    {
                        "rank": 1,
                        "a": {"item_id": "x", "title": "Lamp", "mark": "left", "to": None},
                        "b": {"item_id": "z", "title": torch, "mark": "new", "from": None},
                    },
                    {
                        "rank": 2,
                        "a": {"item_id": "y", "title": "Shade", "mark": "left", "to": None},
                        "b": {"item_id": "w", "title": None, "mark": "new", "from": None},
                    },
                ],
            }
        ],
    }


def test_as_tables(shop: Redis, redis_url: str) -> None:
    result = run(redis_url, "1", "11", "--users", "2")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    torch = "[bold]Torch\N{REPLACEMENT CHARACTER}[2J"
    for line in (
        "generation 1 generation 11",
        "state live staged",
        "as of 2026-03-01 2026-03-11",
        "lists 4 4",
        "keys 11 10",
        "bytes 1 kB 11 kB",
        "Config: same. Times are UTC",
        "everyone 3 1 1 0.667 0.633 33.3% 66.7%",
        "gold 2 1 0 1.000 0.950 50.0% 50.0%",
        "none 1 0 1 0.000 0.000 0.0% 100.0%",
        "2 items entered: lists of 11 show them, none of 1 did",
        f"z {torch} 0 2 0.00% 50.00% +50.00 pp",
        "w - 0 1 0.00% 25.00% +25.00 pp",
        "0 items left: lists of 1 showed them, none of 11 does",
        "4 items shown by another share of the lists than before",
        "x Lamp 4 2 100.00% 50.00% -50.00 pp",
        "User cid (segment none): RBO 0.000, Jaccard 0.000",
        "User bob (segment gold): RBO 0.900, Jaccard 1.000",
    ):
        assert line in lines
    assert table_rows(result)[-4:] == [
        ["1", "x Lamp", "left", f"z {torch}", "new"],
        ["2", "y Shade", "left", "w", "new"],
        ["1", "x Lamp", "to 2", "y Shade", "from 2"],
        ["2", "y Shade", "to 1", "x Lamp", "from 1"],
    ]


def test_what_is_cut_is_said(shop: Redis, redis_url: str) -> None:
    found = run(redis_url, "1", "11", "--top", "1", "--sample", "3", "--users", "0").stdout
    assert "; the first 1\n" in found
    assert "A sample: 3 of 5 users\n" in found
    assert "User " not in found


def test_back_is_the_mirror_of_forth(shop: Redis, redis_url: str) -> None:
    forth, back = (document(run(redis_url, *args, "--json")) for args in (("1", "11"), ("11", "1")))
    assert back["entered"] == []
    assert [row["item_id"] for row in back["left"]] == ["z", "w"]
    assert (back["overall"]["only_a"], back["overall"]["only_b"]) == (1, 1)
    same = ("users", "jaccard", "rank_biased_overlap", "identical", "first_changed")
    assert [back["overall"][name] for name in same] == [forth["overall"][name] for name in same]
    differences = {row["item_id"]: -row["difference"] for row in forth["shifts"]}
    assert {row["item_id"]: row["difference"] for row in back["shifts"]} == differences
    assert {row["segment"]: row["users"] for row in back["segments"]} == {
        **{"gold": 1, "tin": 2},
        "none": 0,  # eve has no row
    }


def test_a_generation_and_itself(shop: Redis, redis_url: str) -> None:
    found = document(run(redis_url, "1", "1", "--json"))
    assert (found["overall"]["identical"], found["overall"]["rank_biased_overlap"]) == (1.0, 1.0)
    assert found["changed"] == found["shifts"] == found["entered"] == []


def test_many_users_in_batches_tell_the_same_bytes_twice_and_change_nothing(
    redis_client: Redis, redis_url: str
) -> None:
    users = [f"u{number} é/{number % 7}" for number in range(2_345)]
    segments = {user: "gold" if at % 3 else None for at, user in enumerate(users)}
    shelve(redis_client, 1, dict.fromkeys(users, "abcd"), segments)
    shelve(redis_client, 2, {user: "abcd" if at % 5 else "bacd" for at, user in enumerate(users)})
    before = {key: redis_client.dump(key) for key in redis_client.scan_iter()}
    result = run(redis_url, "1", "2", "--json")
    assert run(redis_url, "1", "2", "--json").stdout_bytes == result.stdout_bytes
    assert {key: redis_client.dump(key) for key in redis_client.scan_iter()} == before
    found = document(result)
    assert found["overall"]["users"] == 2_345
    assert found["overall"]["identical"] == found["overall"]["jaccard"] - 0.2 == 0.8
    assert {row["segment"]: row["users"] for row in found["segments"]} == {
        "gold": 1_563,
        "none": 782,
    }
    assert [row["user"] for row in found["changed"]] == sorted(users[::5])[:3]
    sampled = document(run(redis_url, "1", "2", "--sample", "1500", "--json"))
    assert (sampled["users_found"], sampled["users_read"]) == (2_345, 1_500)
    assert sampled["overall"]["identical"] == pytest.approx(0.8, abs=0.03)


def test_batches_are_bounded(redis_client: Redis) -> None:
    users = [f"u{number:04}" for number in range(1_001)]
    shelve(redis_client, 1, dict.fromkeys(users, "ab"))
    manifest = current(redis_client, SHOP)
    assert manifest is not None
    progress: list[tuple[str, int, int]] = []
    found = find_users(redis_client, SHOP, manifest, manifest, lambda *args: progress.append(args))
    assert found == users
    assert progress[-1] == ("finding lists", 2_002, 2_002)
    batches = list(read_pairs(redis_client, SHOP, manifest, manifest, found))
    assert [len(batch) for batch in batches] == [1_000, 1]


def test_only_the_default_models_lists_count(shop: Redis, redis_url: str) -> None:
    before = run(redis_url, "1", "11", "--json").stdout
    for model in ("bpr", "als2", "als:2"):
        shop.set(KEYS.list(11, model, "zoe"), ranked("q").to_json())
    shop.set(KEYS.prefix(11) + "list:als:%ff", ranked("q").to_json())
    shop.set(KEYS.prefix(11) + "list:als:un encoded", ranked("q").to_json())
    shop.set(KEYS.prefix(11).encode() + b"list:als:\xff", ranked("q").to_json())
    shop.set(KEYS.list(11, "als", "nil"), ranked().to_json())
    found = document(run(redis_url, "1", "11", "--json"))
    assert found.pop("users_found") == found.pop("users_read") == 6, "nil has a list, if empty"
    assert found == {name: value for name, value in json.loads(before).items() if name in found}


def test_each_side_is_read_by_its_own_default_model(shop: Redis, redis_url: str) -> None:
    manifest = Manifest.from_json(shop.hget(KEYS.generations, "11") or b"")
    record(shop, replace(manifest, default_model="bpr", config_hash="decaf"))
    shop.set(KEYS.list(11, "bpr", "ann"), ranked("x", "y").to_json())
    found = document(run(redis_url, "1", "11", "--json"))
    assert (found["overall"]["users"], found["overall"]["identical"]) == (1, 1.0)
    assert (found["overall"]["only_a"], found["same_config"]) == (3, False)


def test_blends_stand_side_by_side(shop: Redis, redis_url: str) -> None:
    manifest = Manifest.from_json(shop.hget(KEYS.generations, "11") or b"")
    blend = ChosenBlend({"als": 1.0, "popular": 0.25}, {"learning": 60.0, "profile": 7.0})
    record(shop, replace(manifest, choice=blend))
    found = document(run(redis_url, "1", "11", "--json"))
    assert (found["a"]["choice"], found["b"]["choice"]["weights"]) == (None, blend.weights)
    shown = run(redis_url, "1", "11").stdout
    assert re.search(r"blend +- +als 1, popular 0.25 *\n", shown)
    assert re.search(r"half-lives +- +learning 60, profile 7 *\n", shown)


def test_corrupt_lists_are_counted_and_named(shop: Redis, redis_url: str) -> None:
    keys = [KEYS.list(1, "als", "bob"), KEYS.list(11, "als", "cid")]
    for key in keys:
        shop.set(key, b'{"items":')
    shop.set(KEYS.user(11, "ann"), b"[1]")
    result = run(redis_url, "1", "11", "--json")
    assert result.exit_code == 0
    found = document(result)
    assert found["corrupt"] == {"count": 2, "keys": keys}
    assert (found["overall"]["users"], found["segments"][0]["segment"]) == (1, "none")
    table = run(redis_url, "1", "11").stdout
    assert f"Left out, 2 lists that cannot be read: {', '.join(keys)}\n" in table


def test_many_corrupt_lists_are_named_in_part(redis_client: Redis, redis_url: str) -> None:
    shelve(redis_client, 1, {f"u{number:02}": "x" for number in range(12)})
    for number in range(12):
        redis_client.set(KEYS.list(1, "als", f"u{number:02}"), b"?")
    found = document(run(redis_url, "1", "1", "--json"))
    assert (found["corrupt"]["count"], len(found["corrupt"]["keys"])) == (24, 10)
    assert found["overall"]["jaccard"] is None
    assert "24 lists that cannot be read: shelf:shop:1:list:als:{u00}, " in (
        table := run(redis_url, "1", "1").stdout
    )
    assert " and more\n" in table
    assert "everyone" in table


def refused(url: str, *args: str) -> tuple[str, str]:
    result = run(url, *args, "--json")
    assert result.exit_code == 1
    assert result.stderr == ""  # said once
    said = document(result)
    return said["reason"], said["error"]


def test_the_lists_of_another_model(shop: Redis, redis_url: str) -> None:
    for generation, items in ((1, "xy"), (11, "yx")):
        value = ranked(*items).to_json()
        shop.set(KEYS.list(generation, "ease", "eve"), value, ex=TTL_S)
    assert refused(redis_url, "1", "11", "--model", "ease") == (
        "unknown",
        "refused (unknown): generation 1 has no lists of model 'ease'; its models: als",
    )
    for manifest in listing(shop, SHOP):
        record(shop, replace(manifest, models=("als", "ease")))
    found = document(run(redis_url, "1", "11", "--model", "ease", "--json"))
    assert found["users_found"] == 1
    assert found["overall"]["first_changed"] == 1
    assert document(run(redis_url, "1", "11", "--model", "als", "--json")) == document(
        run(redis_url, "1", "11", "--json")
    )


def test_a_cleared_generation_is_named(shop: Redis, redis_url: str) -> None:
    shelve(shop, 12, {"ann": "x"})
    settle(shop)
    retire(shop, SHOP, 1, force=True)
    reason, error = refused(redis_url, "1", "12")
    assert reason == "expired"
    assert "generation 1 was cleared away at 20" in error
    assert "compare generations that are whole: 12, 11 " in error
    assert refused(redis_url, "12", "1")[1] == error


def test_an_expired_generation_is_named(shop: Redis, redis_url: str) -> None:
    age(shop, 11, timedelta(seconds=0.9 * TTL_S))
    reason, error = refused(redis_url, "1", "11")
    assert reason == "expired"
    assert "keys of generation 11 have left Redis, or are about to" in error
    assert "whole: 1 " in error
    shop.delete(KEYS.popular(1, "all"))
    assert "none is whole: run the nightly flow" in refused(redis_url, "1", "11")[1]


def test_what_is_half_staged_or_unknown_is_named(shop: Redis, redis_url: str) -> None:
    manifest = Manifest.from_json(shop.hget(KEYS.generations, "11") or b"")
    record(shop, replace(manifest, digest=""))
    reason, error = refused(redis_url, "1", "11")
    assert (reason, "generation 11 is half staged" in error) == ("incomplete", True)
    reason, error = refused(redis_url, "9", "11")
    assert (reason, "no generation 9; known: 11, 1" in error) == ("unknown", True)


def test_what_is_cleared_meanwhile_is_no_change(
    shop: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(shop)

    def find_and_retire(*args: Any) -> list[str]:
        found = find_users(*args)
        retire(shop, SHOP, 11, force=True)
        return found

    monkeypatch.setattr(cli_diff, "find_users", find_and_retire)
    reason, error = refused(redis_url, "1", "11")
    assert (reason, "generation 11 was cleared away" in error) == ("expired", True)


@pytest.mark.parametrize(
    "args",
    [
        ["1"],
        ["1", "x"],
        ["0", "1"],
        ["1", "2", "--top", "0"],
        ["1", "2", "--users", "-1"],
        ["1", "2", "--sample", "0"],
        ["1", "2", "-s", "A:B"],
    ],
)
def test_usage(redis_url: str, args: list[str]) -> None:
    result = run(redis_url, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("as_json", [False, True])
def test_unreachable(dead_url: str, as_json: bool) -> None:
    result = run(dead_url, "1", "2", *(["--json"] if as_json else []))
    assert result.exit_code == 1
    assert f"cannot use Redis at {dead_url.removeprefix('redis://')} " in result.output


def test_help_shows_an_example(redis_url: str) -> None:
    assert "nightshelf diff 42 43" in run(redis_url, "--help").stdout.split("Example")[1]


@pytest.mark.parametrize("patience_s", [0, 60])
def test_a_bar_for_who_waits_at_a_terminal(shop: Redis, redis_url: str, patience_s: int) -> None:
    code = (
        f"from nightshelf.cli import diff as cli_diff; cli_diff.PATIENCE_S = {patience_s}; "
        "cli_diff.app(['1', '11', '--json'])"
    )
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "REDIS_URL": redis_url, "TERM": "xterm"},
            check=True,
        )
        os.write(theirs, b"!")
        said = os.read(ours, 65_536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (b"comparing users" in said) == (patience_s == 0)
    assert json.loads(done.stdout)["users_found"] == 5
