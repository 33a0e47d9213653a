"""The night's own command line: what a person sees when the input is wrong."""

import subprocess
from pathlib import Path

import pytest
from redis import Redis

from data.sample_shop.shop import ShopSettings, make_shop

SHOP = ShopSettings(n_users=50, n_items=150, n_days=10)


def nightly(env: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["python", "-m", "flows.nightly", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_help_has_an_example(prefect_env: dict[str, str]) -> None:
    done = nightly(prefect_env | {"COLUMNS": "120"}, "--help")
    assert "Example: python -m flows.nightly --events" in done.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"events": "no-such-folder"}, ["events: ", "no-such-folder does not exist"]),
        ({"items": "users.parquet"}, ["column 'item_id' is missing", "found user_id, segment"]),
        ({"as-of": "2020-01-01"}, ["up to 2020-01-01", "Check --as-of"]),
    ],
)
def test_bad_input_is_one_clear_line(
    change: dict[str, str],
    said: list[str],
    prefect_env: dict[str, str],
    redis_url: str,
    redis_client: Redis,
    tmp_path: Path,
) -> None:
    make_shop(tmp_path, SHOP)
    given = {"events": "events", "items": "items.parquet"} | change
    arguments: list[object] = ["--run-root", tmp_path / "runs"]
    for name, value in given.items():
        arguments += [f"--{name}", value if name == "as-of" else tmp_path / value]
    done = nightly(prefect_env | {"REDIS_URL": redis_url}, *arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "prefect" not in done.stderr, "the check runs before Prefect starts"
    lines = done.stderr.splitlines()
    assert len(lines) == len(set(lines)), "an error is printed once"
    last = " ".join(done.stderr.split("The night failed:")[1].split())
    for words in said:
        assert words in last


def test_a_redis_address_that_is_none_keeps_its_password(
    prefect_env: dict[str, str], tmp_path: Path
) -> None:
    make_shop(tmp_path, SHOP)
    env = prefect_env | {"REDIS_URL": "http://:s3cret@127.0.0.1:6379/0"}
    files = ("--events", tmp_path / "events", "--items", tmp_path / "items.parquet")
    done = nightly(env, *files, "--run-root", tmp_path / "runs")
    assert done.returncode == 1
    assert "REDIS_URL" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
