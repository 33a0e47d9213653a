"""The demo: one night on the sample shop, from nothing to lists that can be read.

It does what a user would do by hand, with the same commands: make a log, have a Redis, run the
night, read the report, look up some users.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from data import embedded
from data.console import plain_errors, telling
from data.shop import ShopSettings, make_shop

HOME = Path(".nightshelf")
SHOP = HOME / "shop"
RUNS = Path("runs")
NAMESPACE = "shop"


def main(
    *, stop: Annotated[bool, typer.Option("--stop", help="Stop the demo's Redis.")] = False
) -> None:
    """Run one night on the sample shop, print its report and three users' lists."""
    console = Console()
    if stop:
        stopped = embedded.stop(HOME / "valkey")
        console.print("The demo's Redis is stopped." if stopped else "The demo's Redis was not up.")
        return
    _make_log(console)
    url = _have_redis(console)
    environment = _environment(url)
    _run_night(console, environment)
    _show_next(console, url)


def _make_log(console: Console) -> None:
    console.rule("[bold]1  The sample shop's log")
    if (SHOP / "users.parquet").exists():
        console.print(f"{SHOP} stands already.")
        return
    with telling("making it ...") as tell:
        shop = make_shop(SHOP, ShopSettings(), tell)
    console.print(
        f"{shop.n_events:,} events, {shop.n_items:,} items, {shop.n_users:,} users: {SHOP}"
    )


def _have_redis(console: Console) -> str:
    console.rule("[bold]2  Redis")
    given = os.environ.get("REDIS_URL")
    if given:
        console.print("The one that REDIS_URL names.")
        return given
    url = embedded.start(HOME / "valkey")
    console.print(f"An embedded Valkey at {url}, its log in {HOME / 'valkey'}.")
    return url


def _environment(url: str) -> dict[str, str]:
    """Return the night's environment: a Prefect home apart from the user's."""
    home = {"PREFECT_HOME": str((HOME / "prefect").resolve())}
    return home | dict(os.environ) | {"REDIS_URL": url}


def _run_night(console: Console, environment: dict[str, str]) -> None:
    """Run the nightly flow as a user would: it ends with its figures and three users' lists."""
    console.rule("[bold]3  The night")
    if "PREFECT_API_URL" not in os.environ:
        console.print("Prefect starts a temporary server first; that takes some 10 seconds.")
    command = [
        *(sys.executable, "-m", "flows.nightly"),
        *("--events", SHOP / "events", "--items", SHOP / "items.parquet"),
        *("--users", SHOP / "users.parquet", "--namespace", NAMESPACE),
        *("--as-of", ShopSettings().end.isoformat(), "--run-root", RUNS),
    ]
    started = time.monotonic()
    night = subprocess.run(list(map(str, command)), env=environment, check=False)  # noqa: S603
    if night.returncode:
        raise typer.Exit(night.returncode)
    console.print(f"The night took {time.monotonic() - started:.0f} s, Prefect's start included.")


def _show_next(console: Console, url: str) -> None:
    console.rule("[bold]And with the demo")
    show = "" if "REDIS_URL" in os.environ else f"export REDIS_URL={url}\n"
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
