"""Server, deployments and worker as the how-to prints them, in a folder with a small shop."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from data.sample_shop.shop import Shop, ShopSettings, make_shop
from tasks.runs.run_folder import midnight
from tests.conftest import ROOT, free_port
from tests.session.forks import virtualenv
from tests.session.prefect_server import ask, post

HOW_TO = (ROOT / "docs/how-to/schedule-with-prefect.md").read_text()
SHOP = ShopSettings(n_users=300, n_items=200, n_days=30, end=midnight())
OVER = ("COMPLETED", "FAILED", "CRASHED")
_TROUBLE = re.compile(r".*(?:ERROR|CRITICAL|Traceback|nanobind).*")
#: A line of a log and what is printed below it, as far as the next line that begins with a time.
_RECORD = re.compile(r"^.*\n(?:(?!\d\d:\d\d:\d\d\.\d{3} \|).*\n)*", re.M)
#: A cron fires within a minute; a busy machine takes its time to start what it fires.
_LONGEST_S = 600
Env = dict[str, str]
Row = dict[str, Any]


class Checkout:
    """A folder that links to this checkout, with a shop and the environment of a user."""

    def __init__(self, folder: Path, redis_url: str, forked: Env) -> None:
        """Make it; the user has set nothing else than ports, Redis and the console's address."""
        self.folder, port = folder, str(free_port())
        for name in ("flows", "tasks", "data"):
            (folder / name).symlink_to(ROOT / name)
        virtualenv(folder, forked)
        self.shop: Shop = make_shop(folder / ".nightshelf/shop", SHOP)
        mine = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "REDIS_", "NIGHTSHELF_"))
        }
        self.env: Env = mine | {
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_SERVER_API_PORT": port,
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",  # 30 otherwise
            "REDIS_URL": redis_url,
            "NIGHTSHELF_EVALUATE__BACKTEST_DAYS": "7",
            "NIGHTSHELF_WATCH__CONSOLE_URL": "https://shelf.example/console",
        }

    def schedule_each_minute(self) -> None:
        """Write `prefect.yaml` with a night and a refresh every minute, as the collection is."""
        deployments = (ROOT / "prefect.yaml").read_text()
        for cron in ('"0 2 * * *"', '"*/5 * * * *"'):
            assert deployments.count(cron) == 1
            deployments = deployments.replace(cron, '"* * * * *"')
        (self.folder / "prefect.yaml").write_text(deployments)

    def printed(self, word: str) -> str:
        """Return the how-to's command that holds a word, behind the exports before it."""
        found = re.findall(r"```console\n(.*?)```", HOW_TO, re.S)
        block = next(each for each in found if word in each)
        lines = [line.removeprefix("$ ") for line in block.splitlines()]
        exports = [line for line in lines if line.startswith("export ")]
        (command,) = (line for line in lines if word in line)
        text = "\n".join([*exports, f"exec {command}"])
        text = text.replace("redis://127.0.0.1:6390/0", self.env["REDIS_URL"])
        return text.replace("127.0.0.1:4200", f"127.0.0.1:{self.env['PREFECT_SERVER_API_PORT']}")

    def run(self, word: str, more: str = "") -> None:
        """Run a command of the how-to to its end."""
        done = subprocess.run(
            ["bash", "-euc", self.printed(word) + more],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def running(self, word: str) -> Iterator[tuple[Path, int]]:
        """Run a command of the how-to meanwhile; yields its log and the id of its process."""
        path = self.folder / f"{word.replace(' ', '-')}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-euc", self.printed(word)],
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
            )
            try:
                yield path, process.pid
            finally:
                for pid in [*children(process.pid), process.pid]:  # and the runs under way
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait()

    def runs_of(self, flow: str, *states: str) -> list[Row]:
        """Return a flow's runs in one of these states, the earliest first."""
        which = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"state": {"type": {"any_": list(states)}}},
        }
        return ask(self.env, "flow_runs", which | {"sort": "EXPECTED_START_TIME_ASC"})

    def deployments(self) -> dict[str, str]:
        """Return the deployments' ids by name."""
        return {row["name"]: row["id"] for row in ask(self.env, "deployments", {})}

    def pause(self, name: str) -> None:
        """Let a deployment's schedule start nothing more."""
        post(self.env, f"deployments/{self.deployments()[name]}/pause_deployment", {})

    def trigger(self, name: str, when: str, **parameters: object) -> None:
        """Have a deployment run at a time."""
        scheduled = {"type": "SCHEDULED", "state_details": {"scheduled_time": when}}
        given = {key: str(value) for key, value in parameters.items()}
        body = {"state": scheduled, "parameters": given}
        post(self.env, f"deployments/{self.deployments()[name]}/create_flow_run", body)


def waited(found: Callable[[], Any], logs: list[Path]) -> Any:
    """Return what `found` returns once it is something."""
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        if something := found():
            return something
        time.sleep(0.5)
    raise AssertionError("\n".join(log.read_text() for log in logs))


def children(pid: int) -> set[int]:
    """Return the ids of the processes that a process has started, of those that still run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            if path.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.add(int(path.parent.name))
    return found


def troubles(log: str) -> list[str]:
    """Return the lines of trouble, but for the race that the how-to tells of.

    Prefect's server reads and then writes in one SQLite transaction; where another write came
    between, it is refused as "database is locked", and tried again: a worker's heartbeat, a run's
    being late.
    """
    records = [
        record
        for record in _RECORD.findall(log)
        if not ("| prefect.server" in record and "database is locked" in record)
    ]
    return [line for record in records for line in _TROUBLE.findall(record)]
