"""The README's commands and its Python, run as printed in a fresh folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.e2e
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str], str]]:
    """Run `make demo` in a folder that links to this checkout: its environment and output too."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "flows", "tasks", "data"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".venv/.ready").touch()
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
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def at_demo(text: str, folder: Path) -> str:
    """Return a snippet with the port that this demo's server found free."""
    port = (folder / ".nightshelf/valkey/port").read_text()
    return text.replace("127.0.0.1:6390", f"127.0.0.1:{port}")


def test_the_demo_shows_report_and_three_users(demo: tuple[Path, dict[str, str], str]) -> None:
    folder, _, out = demo
    for words in ("Catalogue coverage", "A heavy user", "A light user", "A stranger", "because of"):
        assert words in out
    assert "this is a fallback" in out
    assert f"{Path('runs/shop/1/report.html')}" in out
    assert (folder / "runs/shop/1/report.html").stat().st_size > 10_000


def test_a_second_demo_publishes_the_next_generation(
    demo: tuple[Path, dict[str, str], str],
) -> None:
    folder, env, _ = demo
    assert "generation 2" in shell("make demo", folder, env)


def test_every_console_command_works(demo: tuple[Path, dict[str, str], str]) -> None:
    folder, env, _ = demo
    commands = [
        line.removeprefix("$ ")
        for block in blocks("console")
        for line in at_demo(block, folder).splitlines()
    ]
    assert len(commands) > 5
    shell("\n".join(commands), folder, env)


def test_the_python_works(demo: tuple[Path, dict[str, str], str]) -> None:
    folder, env, _ = demo
    (snippet,) = blocks("python")
    (folder / "app.py").write_text(at_demo(snippet, folder))
    out = shell(".venv/bin/python app.py", folder, env)
    assert out.startswith("list ")
