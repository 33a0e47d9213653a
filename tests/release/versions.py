"""Test on each Python and each Redis that can be had here, and print the table of versions.

    python -m tests.release.versions [--redis] [--python]

On a Redis: the client, actions of operators, publishing, collecting, and the logins of users.acl.
On a Python: a clean environment by the lock, then the lookup, steps of a night, and nights.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.conftest import ROOT
from tests.release.pythons import Environment, interpreters
from tests.release.servers import servers

#: What each row's column runs.
REDIS_SUITES = {
    "client": tuple(
        f"tests/lookup/client/test_{name}.py" for name in ("shelf", "exchange", "pages", "tracking")
    ),
    "operators": ("tests/lookup/admin",),
    "publishing": tuple(
        f"tests/tasks/publish/test_{name}.py"
        for name in ("stage", "verify", "go_live", "republish")
    ),
    "collecting": ("tests/tasks/collector/test_collect.py",),
    "logins": ("tests/deploy/test_secrets.py",),
}
PYTHON_SUITES = {
    "lookup": ("tests/lookup/client", "tests/lookup/contract", "tests/lookup/cli"),
    "steps": ("tests/tasks/ingest", "tests/tasks/features", "tests/tasks/publish"),
    "night": ("tests/tasks/test_pipeline.py", "tests/e2e/test_as_task.py"),
}
console = Console()


def outcome(python: str, suite: tuple[str, ...], env: dict[str, str], log: Path) -> str:
    """Run tests and return their counts, as `212 passed`; the log has the rest."""
    command = [python, "-m", "pytest", "-q", "-n0", "--maxfail=3", "-p", "no:cacheprovider", *suite]
    with log.open("a") as file:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True, check=False
        )
        file.write(done.stdout)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    counts = re.findall(r"\d+ (?:passed|failed|skipped|error)s?", last)
    return ", ".join(counts) or f"exit code {done.returncode}"


def redis_table(folder: Path) -> Table:
    """Test on each server."""
    table = Table("server", *REDIS_SUITES, "seconds", title="Redis")
    for version, program in servers():
        started, cells = time.monotonic(), []
        for suite in REDIS_SUITES.values():
            with console.status(f"{version}: {' '.join(suite)} ..."):
                env = {"NIGHTSHELF_TEST_REDIS": str(program)}
                cells.append(outcome(sys.executable, suite, env, folder / f"{version}.log"))
        table.add_row(version, *cells, f"{time.monotonic() - started:.0f}")
        console.print(f"{version}: {'; '.join(cells)}")
    return table


def python_table(folder: Path) -> Table:
    """Test on each interpreter, in a clean environment by the lock."""
    table = Table("python", *PYTHON_SUITES, "seconds", title="Python")
    for version, program in interpreters():
        if program is None:
            table.add_row(version, *["not at hand"] * len(PYTHON_SUITES), "")
            continue
        started = time.monotonic()
        with TemporaryDirectory() as made:
            environment = Environment(program, Path(made) / "e")
            with console.status(f"{version}: installing requirements.lock ..."):
                locked = ("--no-deps", "--require-hashes", "-r", str(ROOT / "requirements.lock"))
                environment.pip("install", *locked)
                environment.pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
            python = str(environment.folder / "venv/bin/python")
            cells = []
            for suite in PYTHON_SUITES.values():
                with console.status(f"{version}: {' '.join(suite)} ..."):
                    cells.append(outcome(python, suite, environment.env, folder / f"{version}.log"))
            found = environment.run("python", "-V").split()[1]
        table.add_row(found, *cells, f"{time.monotonic() - started:.0f}")
        console.print(f"{found}: {'; '.join(cells)}")
    return table


def main(asked: set[str]) -> None:
    """Print the tables that are asked for, both by default; logs go to .nightshelf/versions/."""
    folder = ROOT / ".nightshelf/versions"
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"--redis": redis_table, "--python": python_table}
    made = [make(folder) for name, make in tables.items() if not asked or name in asked]
    for table in made:
        console.print(table)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
