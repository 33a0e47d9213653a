"""The demo: one night on the sample shop, from nothing to lists that can be read.

It does what a user would do by hand, with the same commands: make a log, have a Redis, run the
night, which ends with its figures and some users' lists. Each time it is the night after the live
one: the first sees the log up to the day before its last, the second all of it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from data import redis_server
from data.cli import plain_errors, status
from data.sample_shop.csv_copy import write_csv
from data.sample_shop.shop import ShopSettings, make_shop

HOME = Path(".nightshelf")
SHOP = HOME / "shop"
RUNS = Path("runs")
NAMESPACE = "shop"
_BIN = Path(sys.executable).parent


def main(
    *, stop: Annotated[bool, typer.Option("--stop", help="Stop the demo's Redis.")] = False
) -> None:
    """Run one night on the sample shop, print its report and three users' lists."""
    console = Console()
    if stop:
        stopped = redis_server.stop(HOME / "valkey")
        console.print("The demo's Redis is stopped." if stopped else "The demo's Redis was not up.")
        return
    with compiling_ahead():
        _make_log(console)
        url = _have_redis(console)
        environment = _environment(url)
        _run_night(console, environment)
    _show_next(console, url, _generations(environment))


@contextmanager
def compiling_ahead() -> Iterator[None]:
    """Compile on a second core what the night will need, and end that with the block."""
    command = [sys.executable, "-m", "nightshelf_ops.compile_ahead"]
    quiet = subprocess.DEVNULL  # the night compiles what is missing, and says what goes wrong
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:  # noqa: S603
        try:
            yield
        finally:
            process.terminate()


def _make_log(console: Console) -> None:
    console.rule("[bold]1  The sample shop's log")
    if (SHOP / "orders.csv").exists():
        console.print(f"{SHOP} stands already.")
        return
    with status("making it ...") as report:
        shop = make_shop(SHOP, ShopSettings(), report)
        report("writing it as a CSV too ...")
        csv = write_csv(SHOP)
    console.print(
        f"{shop.n_events:,} events, {shop.n_items:,} items, {shop.n_users:,} users: {SHOP}\n"
        f"The same log as a CSV, to try an import with: {csv}"
    )


def _have_redis(console: Console) -> str:
    console.rule("[bold]2  Redis")
    given = os.environ.get("REDIS_URL")
    if given and not redis_server.is_stopped(given):
        console.print("The one that REDIS_URL names.")
        return given
    url = redis_server.start(HOME / "valkey")
    console.print(f"An embedded Valkey at {url}, its log in {HOME / 'valkey'}.")
    return url


def _environment(url: str) -> dict[str, str]:
    """Return the night's environment, with a Prefect home of its own."""
    home = {"PREFECT_HOME": str((HOME / "prefect").resolve())}
    return home | dict(os.environ) | {"REDIS_URL": url}


def _generations(environment: dict[str, str]) -> list[dict[str, Any]]:
    """Return the manifests of the demo's generations, newest first; none on an empty server."""
    command = [str(_BIN / "nightshelf"), "generations", "-s", NAMESPACE, "--json"]
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    return json.loads(listed.stdout)["generations"] if listed.returncode == 0 else []


def _night_after(console: Console, known: list[dict[str, Any]]) -> datetime:
    """Return the next night's `as_of`: a day after the live one's, if there is one."""
    end = ShopSettings().end
    live = next((each for each in known if each["state"] == "live"), None)
    if live is None:
        until = end - timedelta(days=1)
        console.print(f"As of {until:%Y-%m-%d}; run again, the demo makes the night a day later.")
        return until
    seen = datetime.fromisoformat(live["as_of"])
    if seen < end:
        until = min(seen + timedelta(days=1), end)
        console.print(f"As of {until:%Y-%m-%d}, a day after generation {live['generation']}.")
        return until
    console.print(
        f"As of {end:%Y-%m-%d}, where the log ends: generation {live['generation']} has seen the "
        "same events, so this one's lists are much the same."
    )
    return end


def _run_night(console: Console, environment: dict[str, str]) -> None:
    """Run the nightly flow as a user would: it ends with its figures and three users' lists."""
    console.rule("[bold]3  The night")
    until = _night_after(console, _generations(environment))
    if "PREFECT_API_URL" not in os.environ:
        console.print("Prefect starts a temporary server first; that takes some 10 seconds.")
    command = [
        *(sys.executable, "-m", "flows.nightly"),
        *("--events", SHOP / "events", "--items", SHOP / "items.parquet"),
        *("--users", SHOP / "users.parquet", "--namespace", NAMESPACE),
        *("--as-of", until.isoformat(), "--run-root", RUNS),
    ]
    started = time.monotonic()
    night = subprocess.run(list(map(str, command)), env=environment, check=False)  # noqa: S603
    if night.returncode:
        raise typer.Exit(night.returncode)
    console.print(f"The night took {time.monotonic() - started:.0f} s, Prefect's start included.")


def _show_next(console: Console, url: str, known: list[dict[str, Any]]) -> None:
    console.rule("[bold]And with the demo")
    show = "" if os.environ.get("REDIS_URL") == url else f"export REDIS_URL={url}\n"
    two = sorted(e["generation"] for e in known if e["state"] in ("live", "previous"))
    if len(two) == 2:
        show += (
            f"Compare the two nights:    .venv/bin/nightshelf diff {two[0]} {two[1]}\n"
            "Undo the last one:         .venv/bin/nightshelf rollback\n"
        )
    console.print(
        f"{show}"
        "Another night:             make demo\n"
        "Your own log:              .venv/bin/nightshelf check --help, then\n"
        "                           .venv/bin/python -m flows.nightly --help\n"
        "Stop the demo's Redis:     make demo-stop",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    typer.run(plain_errors(main))
