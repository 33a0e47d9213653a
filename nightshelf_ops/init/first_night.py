"""The first night: its command, and a run of it on REDIS_URL or an embedded Valkey."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from data import redis_server
from nightshelf.cli.tables.terminal import show_line
from nightshelf_ops.init.import_log import Ready

_HOME = Path(".nightshelf")


def night_command(ready: Ready, namespace: str, config: Path) -> list[str]:
    """Return the command of the first night."""
    command = [_python(), "-m", "flows.nightly", "--events", str(ready.events)]
    command += ["--items", str(ready.items)]
    command += ["--users", str(ready.users)] if ready.users else []
    command += ["--namespace", namespace, "--as-of", ready.as_of.isoformat()]
    return command + ([] if config == Path("nightshelf.toml") else ["--config", str(config)])


def run_night(command: Sequence[str], *, as_json: bool) -> None:
    """Run the night on REDIS_URL, or on an embedded Valkey as `make demo` does."""
    environment = {"PREFECT_HOME": str((_HOME / "prefect").resolve())} | dict(os.environ)
    given = os.environ.get("REDIS_URL")
    if not given or redis_server.is_stopped(given):
        environment["REDIS_URL"] = redis_server.start(_HOME / "valkey")
    night = subprocess.run(  # noqa: S603 - our own interpreter
        list(command), env=environment, check=False, stdout=sys.stderr if as_json else None
    )
    if night.returncode:
        raise typer.Exit(night.returncode)
    if not given and not as_json:
        show_line(
            f"An embedded Valkey holds the lists: export REDIS_URL={environment['REDIS_URL']}"
        )


def _python() -> str:
    """Return the path of this interpreter, relative to the working directory if it is below."""
    executable, here = Path(sys.executable), Path.cwd()
    return str(executable.relative_to(here) if executable.is_relative_to(here) else executable)
