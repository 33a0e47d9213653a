"""The command, as a person at a terminal and as a script would use it."""

import subprocess
import sys
from dataclasses import replace

import pytest
from redis import Redis

from nightshelf.admin.generations import current
from nightshelf.contract.chosen_blend import ChosenBlend
from nightshelf.contract.keys import Keys
from nightshelf.text import age_text
from tests.lookup.shelves import SHOP, aged, publish, staged
from tests.lookup.terminal import COMMANDS, LISTS, document, run, table_rows


def test_get_as_a_table(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    result = run(redis_url, "get", "ann", "-n", "2")
    assert result.exit_code == 0
    shade = "[bold]Shade\N{REPLACEMENT CHARACTER}[2J"
    assert table_rows(result) == [
        ["1", "A1", "Lamp 1", "Lamps", "1", f"because of {shade}"],
        ["2", "B1", "-", "-", "0.5", f"because of {shade}"],
    ]
    assert result.stdout.splitlines()[-1].startswith(
        "source list, generation 1, model als, published "
    )
    assert "fallback" not in result.stdout


def test_get_as_json(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    found = document(run(redis_url, "get", "ann", "-n", "1", "--json"))
    assert found.pop("age_s") >= 0
    assert found == {
        "namespace": "shop",
        "asked": "ann",
        "source": "list",
        "generation": 1,
        "model": "als",
        "experiment": None,
        "variant": None,
        "phase": None,
        "forced": False,
        "items": [
            {
                "rank": 1,
                "item_id": "A1",
                "title": "Lamp 1",
                "category": "Lamps",
                "score": 1.0,
                "reason": ["because", "C1"],
                "words": "because of [bold]Shade\x1b[2J",
            }
        ],
    }


def test_a_strangers_list_is_called_a_fallback(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    stranger = run(redis_url, "get", "eve")
    assert "eve has no list of its own here: this is a fallback" in stranger.stdout
    assert "popular with everyone" in stranger.stdout
    assert "source popular:all, generation 1, published" in stranger.stdout
    gold = run(redis_url, "get", "bob")
    assert "popular in gold" in gold.stdout
    assert document(run(redis_url, "get", "eve", "--json"))["source"] == "popular:all"


def test_similar_and_popular(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    assert [row[5] for row in table_rows(run(redis_url, "similar", "A1"))] == ["like Lamp 1"] * 2
    assert table_rows(run(redis_url, "popular", "trending"))[0][5] == "trending"
    assert "fallback" not in run(redis_url, "popular", "category:Lamps").stdout
    assert "fallback" in run(redis_url, "similar", "C1").stdout  # an item that nothing is like
    assert document(run(redis_url, "similar", "A1", "--json"))["source"] == "similar"
    assert document(run(redis_url, "popular", "--json"))["asked"] == "all"


@pytest.mark.parametrize("args", [*LISTS, ["generations"]], ids=lambda args: args[0])
def test_a_namespace_without_lists(redis_client: Redis, redis_url: str, args: list[str]) -> None:
    result = run(redis_url, *args)
    assert (result.exit_code, result.stdout) == (1, "")
    what = "was ever published" if args == ["generations"] else "is live"
    assert result.stderr == f"nothing {what} in shop: run the nightly flow to publish\n"
    assert f"nothing {what}" in document(run(redis_url, *args, "--json"))["error"]
    publish(redis_client)
    publish(redis_client, namespace="home")
    redis_client.set("shelf:{NO NAME}:current", b"{}")
    misspelt = run(redis_url, *args, "-s", "shpo")
    assert misspelt.exit_code == 1
    assert misspelt.stderr.endswith("publish; or name another with --namespace: home, shop\n")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["popular", "nonsense"], 2, "no such segment: 'nonsense'"),
        (["popular", "category:"], 2, "must not be empty"),
        (["popular", "category:zz"], 1, "no list of 'category:zz' in generation 1 of shop"),
        (["popular", "new"], 1, "no list of 'new' in generation 1 of shop"),
        (["similar", "zz"], 1, "no item 'zz' in generation 1 of shop"),
        (["similar", ""], 2, "must not be empty"),
        (["get", ""], 2, "must not be empty"),
        (["get", "\udc80"], 2, "not valid UTF-8"),
    ],
)
def test_what_is_not_there_is_no_success(
    redis_client: Redis, redis_url: str, args: list[str], code: int, said: str
) -> None:
    publish(redis_client)
    result = run(redis_url, *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in " ".join(result.stderr.split())
    if code == 1:
        assert said in document(run(redis_url, *args, "--json"))["error"]


def test_status(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    publish(redis_client)
    staged(redis_client)
    first, live, lists, known = run(redis_url, "status").stdout.splitlines()
    assert first.startswith("shop on valkey 9.")
    assert live.startswith("Live: generation 2, as of 2026-03-03 UTC, published ")
    assert lists == "1 lists of up to 50 by als"
    assert known == "Generations: 3 staged, 2 live, 1 previous"
    found = document(run(redis_url, "status", "--json"))
    assert (found["reachable"], found["live"]["generation"], found["error"]) == (True, 2, None)
    assert found["states"] == {"1": "previous", "2": "live", "3": "staged"}
    assert found["redis"] == redis_url.removeprefix("redis://")


def test_status_names_the_blend(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    live = current(redis_client, "shop")
    assert live
    weights, half_lives = {"als": 1.0, "popular": 0.25}, {"learning": 60.0, "popular": 3.0}
    blend = ChosenBlend(weights, half_lives, {"1": (0.0, 1.0)})
    redis_client.set(Keys("shop").current, replace(live, choice=blend).to_json())
    lines = run(redis_url, "status").stdout.splitlines()
    assert lines[3] == (
        "Blend: als 1, popular 0.25; half-lives in days: learning 60, popular 3; others for 1"
    )
    found = document(run(redis_url, "status", "--json"))["live"]["choice"]
    assert found == {
        "weights": weights,
        "half_lives_days": half_lives,
        "by_history": {"1": [0.0, 1.0]},
        "held": False,
    }


def test_status_where_nothing_is_live(redis_client: Redis, redis_url: str) -> None:
    result = run(redis_url, "status")
    assert result.exit_code == 1
    assert result.stderr == "nothing is live in shop: run the nightly flow to publish\n"
    as_json = run(redis_url, "status", "--json")
    assert (as_json.exit_code, as_json.stderr) == (1, "")
    assert list(document(as_json))[:2] == ["healthy", "problem"]
    assert document(as_json)["live"] is None


@pytest.mark.parametrize(
    ("hours", "options", "env", "healthy"),
    [
        (29, [], {}, True),
        (31, [], {}, False),
        (31, ["--max-age-h", "31.5"], {}, True),
        (31, [], {"NIGHTSHELF_MAX_AGE_H": "48"}, True),
        (2, [], {"NIGHTSHELF_MAX_AGE_H": "1"}, False),
        (2, ["--max-age-h", "3"], {"NIGHTSHELF_MAX_AGE_H": "1"}, True),
    ],
)
def test_status_of_a_generation_that_may_be_too_old(
    redis_client: Redis,
    redis_url: str,
    hours: float,
    options: list[str],
    env: dict[str, str],
    healthy: bool,
) -> None:
    publish(redis_client)
    aged(redis_client, hours)
    result = run(redis_url, "status", *options, **env)
    assert result.exit_code == (0 if healthy else 1)
    assert "Live: generation 1" in result.stdout
    assert (
        result.stderr.startswith(f"generation 1 was made {age_text(hours * 3600)} ago") != healthy
    )
    found = document(run(redis_url, "status", *options, "--json", **env))
    assert (found["healthy"], found["problem"] is None) == (healthy, healthy)
    assert found["made_age_s"] == pytest.approx(hours * 3600, abs=60)


def test_generations(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    staged(redis_client)
    rows = table_rows(run(redis_url, "generations"))
    assert [row[:3] for row in rows] == [
        ["2", "staged", "2026-03-03"],
        ["1", "live", "2026-03-02"],
    ]
    assert rows[0][3] == "-"
    assert rows[0][4:6] == ["1", "663 B"]
    assert rows[0][6:] == ["00000000", "-"]
    found = document(run(redis_url, "generations", "--json"))
    assert [each["generation"] for each in found["generations"]] == [2, 1]
    assert found["generations"][1]["state"] == "live"


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: args[0])
@pytest.mark.parametrize("as_json", [False, True])
def test_unreachable(dead_url: str, args: list[str], as_json: bool) -> None:
    place = dead_url.removeprefix("redis://")
    url = f"redis://joe:s3cret@{place}"
    result = run(url, *args, *(["--json"] if as_json else []))
    assert result.exit_code == 1
    said = document(result)["error"] if as_json else result.stderr.strip()
    assert f"cannot use Redis at {place} " in said
    assert "start Redis there" in said
    assert "s3cret" not in result.output
    assert (result.stderr if as_json else result.stdout) == ""  # said once
    assert len(said.splitlines()) == 1


def test_the_error_is_red(dead_url: str) -> None:
    result = run(dead_url, "get", "ann", FORCE_COLOR="1", TERM="xterm")
    assert result.stderr.startswith("\x1b[31m")


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: args[0])
def test_a_value_that_cannot_be_read(redis_client: Redis, redis_url: str, args: list[str]) -> None:
    publish(redis_client)
    redis_client.set(Keys(SHOP).current, b"{")
    redis_client.hset(Keys(SHOP).generations, "1", b"{")
    result = run(redis_url, *args)
    if args[0] in ("block", "unblock"):  # they must go on whatever else is broken
        assert result.exit_code == 0
    else:
        assert result.exit_code == 1
        assert "holds what cannot be read: not a manifest" in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["get"],
        ["get", "ann", "-n", "0"],
        ["get", "ann", "-s", "A:B"],
        ["get", "ann", "--redis-url", "http://:s3cret@db/0"],
        ["get", "ann", "--redis-url", "redis://:s3cret/x@db:6379/0"],
        ["rollback", "--to", "x"],
        *(["canary", "4", "--share", share] for share in ("0", "-1", "100.1", "nan", "x")),
        ["canary", "4"],
        ["block"],
        ["block", "A1", ""],
        ["block", "x" * 513],
        ["unblock", "\udc80"],
        ["forget", ""],
        ["fetch"],
    ],
)
def test_usage(redis_url: str, args: list[str]) -> None:
    result = run(redis_url, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    assert "s3cret" not in result.stderr


def test_namespace_from_option_and_environment(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client, namespace="home")
    assert document(run(redis_url, "get", "ann", "-s", "home", "--json"))["source"] == "list"
    result = run(redis_url, "get", "ann", "--json", NIGHTSHELF_NAMESPACE="home")
    assert document(result)["namespace"] == "home"


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: args[0])
def test_help_shows_an_example(redis_url: str, args: list[str]) -> None:
    result = run(redis_url, args[0], "--help")
    assert result.exit_code == 0
    assert f"nightshelf {args[0]}" in result.stdout.split("Example")[1]


def import_without(module: str, *absent: str) -> subprocess.CompletedProcess[str]:
    """Import a module in a Python of its own that cannot find the packages `absent`."""
    code = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import {module}
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("absent", ["typer", "rich"])
def test_without_its_extra_the_command_says_what_to_install(absent: str) -> None:
    done = import_without("nightshelf.cli.main", absent)
    assert done.returncode == 1
    assert done.stderr == "The command nightshelf needs its extra: pip install 'nightshelf[cli]'\n"


def test_a_broken_install_is_not_taken_for_an_absent_extra() -> None:
    assert "No module named 'redis'" in import_without("nightshelf.cli.main", "redis").stderr


def test_the_core_needs_no_extra() -> None:
    done = import_without(
        "nightshelf",
        "typer",
        "rich",
        "fastapi",
        "pydantic",
        "numpy",
        "pyarrow",
        "duckdb",
        "prefect",
    )
    assert done.returncode == 0, done.stderr
