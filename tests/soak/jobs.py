"""The commands of `flows/`, one after another, as a schedule runs them; some are killed."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import get_args

from tasks.evaluation.settings import GateName
from tests.conftest import ROOT
from tests.soak.journal import Journal
from tests.soak.shop import NAMESPACE, catalogue

#: Readers and Redis go first, as they do on machines of their own.
_NICE = ("nice", "-n", "10")
_LONGEST_S = 240


class Jobs:
    """The soak's folder and environment, and its commands."""

    def __init__(self, folder: Path, url: str, prefect: dict[str, str], journal: Journal) -> None:
        self._folder, self._journal = folder, journal
        self._turns: Iterator[int] = iter(range(1, 1_000_000))
        self._environment = prefect | {
            "REDIS_URL": url,
            # Catalogues change by a third every night on purpose.
            "NIGHTSHELF_GATES__WARN": json.dumps(get_args(GateName)),
            "NIGHTSHELF_COLLECT__CLAIM_AFTER_S": "5",
        }

    def loop(self, name: str, done: Event, choose: random.Random, killed_share: float) -> None:
        """Run a command again and again, and kill a share of its runs somewhere on their way."""
        lasted_s = 15.0
        while not done.is_set():
            kill_after_s = (
                choose.uniform(0, 1.2 * lasted_s) if choose.random() < killed_share else None
            )
            began = time.monotonic()
            if self.run(name, kill_after_s, done) == 0:
                lasted_s = time.monotonic() - began
            done.wait(0.5)

    def run(self, name: str, kill_after_s: float | None = None, done: Event | None = None) -> int:
        """Run one command; return its exit code."""
        command = [*_NICE, sys.executable, "-m", f"flows.{name}", *self._arguments(name)]
        with self._journal.noting("job", job=name) as line:
            output = self._folder / "output"
            output.mkdir(exist_ok=True)
            said = output / f"{name}-{time.monotonic():.3f}.log"
            with said.open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=ROOT, env=os.environ | self._environment, stdout=log, stderr=log
                )
                line["killed"] = _wait(process, kill_after_s, done)
            line["code"] = process.returncode
            line["said"] = "" if process.returncode <= 0 else _last_line(said)
        return process.returncode

    def _arguments(self, name: str) -> list[str]:
        shop, runs = self._folder / "shop", self._folder / "runs"
        log, roots = ["--events-dir", shop / "events"], ["--run-root", runs]
        if name == "nightly":
            items = catalogue(self._folder, next(self._turns))
            log = ["--events", shop / "events", "--items", items, "--users", shop / "users.parquet"]
            log += ["--as-of", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"]
        more = [] if name == "collect" else roots
        return [str(each) for each in (*log, "--namespace", NAMESPACE, *more)]


def _wait(process: "subprocess.Popen[bytes]", after_s: float | None, done: Event | None) -> bool:
    """Wait for a process to end; kill it at its time, or at the soak's end. Tell which it was."""
    began = time.monotonic()
    while process.poll() is None:
        passed = time.monotonic() - began
        if (after_s is not None and passed >= after_s) or passed > _LONGEST_S:
            process.kill()
            process.wait()
            return True
        time.sleep(0.05)
    return False


def _last_line(path: Path) -> str:
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "failed" in line), lines[-1] if lines else "")
