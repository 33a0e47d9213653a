"""Commands and Python of the README and of the first tutorial, run as printed in a fresh folder."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from data import redis_server
from tests.conftest import ROOT
from tests.docs.typed import blocks, commands
from tests.session.forks import virtualenv

pytestmark = pytest.mark.timeout(900)
README = (ROOT / "README.md").read_text()
FIRST_NIGHT = (ROOT / "docs/tutorials/first-night.md").read_text()


@pytest.fixture(scope="module")
def demo(
    tmp_path_factory: pytest.TempPathFactory, prefect_env: dict[str, str]
) -> Iterator[tuple[Path, dict[str, str], str]]:
    """Run `make demo` in a folder that links to this checkout: its environment and output too."""
    folder = tmp_path_factory.mktemp("clone")
    for name in (
        "Makefile",
        "requirements.lock",
        "pyproject.toml",
        "flows",
        "tasks",
        "data",
        "deploy",
    ):
        (folder / name).symlink_to(ROOT / name)
    virtualenv(folder, prefect_env)
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "REDIS_", "NIGHTSHELF_"))
    } | {"COLUMNS": "100", "HOME": str(folder), "XDG_CACHE_HOME": str(Path.home() / ".cache")}
    try:
        yield folder, env, shell("make demo", folder, env)
    finally:
        shell("make demo-stop", folder, env)


def shell(command: str, folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=480,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "nanobind" not in done.stderr
    return done.stdout


def at_demo(text: str, folder: Path) -> str:
    """Return a snippet with the port that this demo's server found free."""
    port = (folder / ".nightshelf/valkey/port").read_text()
    return text.replace("127.0.0.1:6390", f"127.0.0.1:{port}")


@pytest.fixture(scope="module")
def said(demo: tuple[Path, dict[str, str], str]) -> dict[str, list[str]]:
    """Type the README's commands, then the tutorial's, in one environment; what each printed.

    The fixture has made the tutorial's first demo, and stops the server when all is read.
    """
    folder, env, _ = demo
    first, *tutorial, last = commands(FIRST_NIGHT)
    assert (first, last) == ("make demo", "make demo-stop")
    (snippet,) = blocks(FIRST_NIGHT, "python")
    (folder / "app.py").write_text(at_demo(snippet, folder))
    typed = commands(README) + tutorial
    exports = sorted({each for each in typed if each.startswith("export ")})
    said: dict[str, list[str]] = {}
    for command in (each for each in typed if each not in exports):
        script = "\n".join(at_demo(each, folder) for each in (*exports, command))
        said.setdefault(command, []).append(shell(script, folder, env))
    return said


def test_the_demo_shows_report_and_three_users(demo: tuple[Path, dict[str, str], str]) -> None:
    folder, _, out = demo
    for words in ("Catalogue coverage", "A heavy user", "A light user", "A stranger", "because of"):
        assert words in out
    assert "this is a fallback" in out
    assert "As of 2026-02-28" in out
    assert f"{Path('runs/shop/1/report.html')}" in out
    assert (folder / "runs/shop/1/report.html").stat().st_size > 10_000


def test_a_page_of_use(said: dict[str, list[str]]) -> None:
    first = said["nightshelf status"][0]
    assert "Live: generation 1, as of 2026-02-28 UTC" in first
    assert "source list, generation 1, model blend" in said["nightshelf get u000007"][0]
    assert "source similar" in said["nightshelf similar i00001 -n 5"][0]
    assert json.loads(said["nightshelf popular trending --json"][0])["source"] == "popular:trending"
    assert "live" in said["nightshelf generations"][0]


def test_a_night_that_went_wrong(said: dict[str, list[str]]) -> None:
    assert "As of 2026-03-01, a day after generation 1" in said["make demo"][0]
    diff = said["nightshelf diff 1 2 --top 3 --users 1"][0]
    assert re.search(r"as of +2026-02-28 +2026-03-01", diff)
    everyone = re.search(r"everyone +[\d,]+ +\d+ +(\d+) +(0\.\d+) +(0\.\d+)", diff)
    assert everyone
    assert int(everyone[1]) > 0, "new users have lists"
    assert 0.3 < float(everyone[2]) < 0.95, "a day moves the lists, and not all of them"
    assert "is served their own list" in said["nightshelf why u000007"][0]
    back = said["nightshelf rollback --yes"][0]
    assert "shop: generation 1 is live\nForward again: nightshelf promote 2" in back
    undone, tried = said["nightshelf status"][-2:]
    assert "Live: generation 1" in undone
    assert "Generations: 2 replaced, 1 live" in undone
    assert "Canary: generation 2 for 5 % of the users" in tried
    assert "shop: generation 2 is live" in said["nightshelf promote 2 --yes"][0]


def test_the_commands_at_2_am(
    demo: tuple[Path, dict[str, str], str], said: dict[str, list[str]]
) -> None:
    """After all of the above generation 2 is live, and 1 is the way back."""
    folder, env, _ = demo
    (export,) = re.findall(r"^\$ (export .*)$", README, re.MULTILINE)
    rows = re.findall(r"^\| (`nightshelf [^|]*) \|", README, re.MULTILINE)
    commands = [row.split("`")[1] for row in rows]
    assert len(commands) >= 8
    for command in commands:
        change = command.split()[1] in ("block", "canary", "extend", "forget", "republish")
        ask = " --dry-run" if change else " --yes" if "rollback" in command else ""
        if "canary 2" in command:
            ask = " --yes"  # the rollback of a row above has left it
        shell(f"{at_demo(export, folder)}\n{command}{ask}", folder, env)


def test_the_python_works(demo: tuple[Path, dict[str, str], str]) -> None:
    folder, env, _ = demo
    (snippet,) = blocks(README, "python")
    (folder / "read.py").write_text(at_demo(snippet, folder))
    out = shell(".venv/bin/python read.py", folder, env)
    assert out.startswith("list ")


def test_a_bought_item_is_gone_at_once(said: dict[str, list[str]]) -> None:
    """The tutorial's program: a list of three, the first bought, another in its place."""
    (out,) = said["python app.py"]
    bought = re.search(r"^list \['(\w+)', '(\w+)', '(\w+)'\]\n(\w+) has moved up$", out.strip())
    assert bought
    assert bought[4] == bought[2]


def test_the_wheel_is_named_as_it_is_built() -> None:
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert f"dist/nightshelf-{version[1]}-py3-none-any.whl" in README


def test_an_empty_server_is_told_apart_and_restored(
    demo: tuple[Path, dict[str, str], str], said: dict[str, list[str]]
) -> None:
    """`make demo-stop` forgets all; doctor names the run to publish again."""
    folder, env, _ = demo
    shell("make demo-stop", folder, env)
    url = redis_server.start(folder / ".nightshelf/valkey")
    nightshelf = f"REDIS_URL={url} .venv/bin/nightshelf"
    doctor = shell(f"{nightshelf} doctor --json || true", folder, env)
    assert "nightshelf republish runs/shop/2; or" in doctor
    shell(f"{nightshelf} republish runs/shop/2 --yes", folder, env)
    assert "Live: generation 3" in shell(f"{nightshelf} status", folder, env)
