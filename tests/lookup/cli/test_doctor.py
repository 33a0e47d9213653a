"""`nightshelf doctor`, as a person at night and as a monitor would run it."""

from datetime import timedelta

import pytest
from redis import Redis
from typer.testing import CliRunner, Result

from nightshelf.admin import lifecycle
from nightshelf.cli.doctor import app
from nightshelf.contract.keys import Keys
from nightshelf.doctor.examine import CHECKS
from tests.lookup.shelves import SHOP, aged, publish, staged
from tests.lookup.terminal import document


def run(url: str, *args: str, **env: str) -> Result:
    return CliRunner().invoke(app, args, env={"REDIS_URL": url, "COLUMNS": "100", **env})


def test_a_screen(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    publish(redis_client)
    result = run(redis_url, "--every-h", "1")
    lines = result.stdout.splitlines()
    assert lines[0] == f"shop at {redis_url.removeprefix('redis://')}"
    rows = [line.split()[:2] for line in lines if line.split()[0] in ("ok", "warn", "unknown")]
    assert [name.split()[0] for name in CHECKS] == [row[1] for row in rows]
    assert ["ok", "pointer"] in rows
    assert len(lines) <= 40
    assert all(len(line) <= 100 for line in lines)
    at = next(at for at, line in enumerate(lines) if "never expire" in line or "rights" in line)
    assert lines[at].startswith("warn  rights")
    assert "-> give each role a login of its own" in lines[at + 1] + lines[at + 2]
    assert lines[-1].endswith(" warn")


def test_the_document(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    result = run(redis_url, "--json")
    found = document(result)
    assert list(found) == ["healthy", "problem", "namespace", "redis", "outcome", "findings"]
    assert not found["healthy"]
    assert found["problem"].startswith("life: 100.0% of 11 keys")
    assert (found["namespace"], found["redis"]) == ("shop", redis_url.removeprefix("redis://"))
    assert [each["name"] for each in found["findings"]] == list(CHECKS)
    assert all(list(each) == ["name", "outcome", "found", "remedy"] for each in found["findings"])
    assert found["outcome"] == "fail"  # an hour's TTL does not last a day
    assert result.exit_code == 1
    (life,) = [each for each in found["findings"] if each["name"] == "life"]
    assert (life["outcome"], "100.0% of 11 keys" in life["found"]) == ("fail", True)


def test_warnings_alone_are_no_failure(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    lifecycle.pin(redis_client, SHOP, 1)
    staged(redis_client)
    redis_client.expire(Keys(SHOP).list(1, "als", "ann"), timedelta(minutes=30))
    result = run(redis_url, "--every-h", "1", "--json")
    found = {each["name"]: each["outcome"] for each in document(result)["findings"]}
    assert found["pin"] == found["staging"] == "warn"
    assert (found["life"], document(result)["outcome"]) == ("warn", "warn")
    assert "fail" not in found.values()
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("hours", "options", "env", "outcome"),
    [
        (23, [], {}, "ok"),
        (25, [], {}, "warn"),
        (31, [], {}, "fail"),
        (31, ["--max-age-h", "48"], {}, "warn"),
        (31, [], {"NIGHTSHELF_MAX_AGE_H": "31.5"}, "warn"),
        (8, ["--every-h", "6"], {}, "fail"),
        (7, ["--every-h", "6"], {}, "warn"),
        (2, ["--max-age-h", "1"], {}, "fail"),
    ],
)
def test_a_generation_that_is_too_old(
    redis_client: Redis,
    redis_url: str,
    hours: float,
    options: list[str],
    env: dict[str, str],
    outcome: str,
) -> None:
    publish(redis_client)
    aged(redis_client, hours)
    result = run(redis_url, *options, "--json", **env)
    found = {each["name"]: each for each in document(result)["findings"]}
    assert found["age"]["outcome"] == outcome
    assert ("no newer one is live" in str(document(result)["problem"])) == (outcome == "fail")
    if outcome == "fail":
        assert result.exit_code == 1
        assert "no newer one is live" in run(redis_url, *options, **env).stderr.splitlines()[0]


def test_an_empty_namespace_fails_and_that_is_said_first(
    redis_client: Redis, redis_url: str
) -> None:
    result = run(redis_url)
    assert (result.exit_code, result.stderr) == (1, "pointer: nothing is live\n")
    assert document(run(redis_url, "--json"))["problem"] == "pointer: nothing is live"


def test_nobody_listens(dead_url: str) -> None:
    url = dead_url.replace("redis://", "redis://joe:s3cret@")
    result = run(url)
    assert result.exit_code == 1
    assert "no answer" in result.stdout
    assert "s3cret" not in result.output
    assert "Traceback" not in result.output
    as_json = run(url, "--json")
    assert as_json.exit_code == 1
    assert document(as_json)["outcome"] == "fail"
    assert "s3cret" not in as_json.output


def test_a_title_does_not_steer_the_terminal(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    redis_client.set(Keys(SHOP).current, b"[red]\x1b[2J")
    result = run(redis_url)
    assert "[red]" in result.stdout
    assert "\x1b" not in result.stdout


def test_usage(redis_url: str) -> None:
    for args in (["--every-h", "0"], ["-s", "A:B"], ["--redis-url", "http://:s3cret@db/0"]):
        result = run(redis_url, *args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "s3cret" not in result.stderr


def test_help_shows_an_example(redis_url: str) -> None:
    result = run(redis_url, "--help")
    assert "nightshelf doctor" in result.stdout.split("Example")[1]
