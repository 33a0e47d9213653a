"""The demo: one night on the sample shop, from nothing to lists that can be read.

It does what a user would do by hand, with the same commands: make a log, have a Redis, run the
night, read the report, look up some users.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from data import embedded
from data.console import plain_errors, telling
from data.shop import ShopSettings, make_shop

HOME = Path(".nightshelf")
SHOP = HOME / "shop"
RUNS = Path("runs")
NAMESPACE = "shop"

#: The most active user with a list, the least active one, and one who was never here.
_USERS_SQL = """
SELECT user_id, events FROM read_parquet($features)
JOIN (SELECT key AS user_id FROM read_parquet($lists)) USING (user_id)
ORDER BY events {order}, user_id LIMIT 1
"""


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
    run = _run_night(console, environment)
    _show_report(console, run)
    _show_lists(console, run, environment)
    _show_next(console, run, url)


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


def _run_night(console: Console, environment: dict[str, str]) -> Path:
    """Run the nightly flow as a user would, and return its run folder."""
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
    return max(
        (folder for folder in (RUNS / NAMESPACE).iterdir() if folder.name.isdigit()),
        key=lambda folder: int(folder.name),
    )


def _show_report(console: Console, run: Path) -> None:
    console.rule("[bold]4  The report")
    report: dict[str, Any] = json.loads((run / "report.json").read_text())
    table = Table("figure", "tonight", "target", "")
    for row in report["headline"]:
        mark = "[green]met[/]" if row["met"] else "[red]missed[/]"
        table.add_row(row["figure"], row["value"], row["target"], mark)
    lists, source = report["lists"], report["input"]
    shown = f"{lists['n_distinct']:,} of {lists['n_available']:,}"
    for figure, value in (
        ("Events learnt from", f"{source['events']:,}"),
        ("Rows in quarantine", f"{source['quarantined']:,}"),
        ("Users with a list of their own", f"{lists['n_lists']:,}"),
        ("Users who fall back", f"{lists['n_fallback']:,}"),
        ("Items in some list", shown),
        ("Bytes a user in Redis", f"{report['memory']['bytes_a_user']:,.0f}"),
    ):
        table.add_row(figure, value)
    console.print(table)


def _show_lists(console: Console, run: Path, environment: dict[str, str]) -> None:
    console.rule("[bold]5  Three users")
    files = {
        "features": str(run / "features/users.parquet"),
        "lists": str(run / "lists/lists.parquet"),
    }
    with duckdb.connect() as db:
        heavy, light = (
            db.execute(_USERS_SQL.format(order=order), files).fetchall()[0]
            for order in ("DESC", "ASC")
        )
    for title, user in (
        (f"A heavy user ({heavy[1]} events)", heavy[0]),
        (f"A light user ({light[1]} events)", light[0]),
        ("A stranger", "nobody-yet"),
    ):
        console.print(f"\n[bold]{title}[/]: nightshelf get {user} -n 5")
        command = [str(Path(sys.executable).with_name("nightshelf")), "get", user, "-n", "5"]
        subprocess.run(command, env=environment, check=True)  # noqa: S603


def _show_next(console: Console, run: Path, url: str) -> None:
    console.rule("[bold]What next")
    show = "" if "REDIS_URL" in os.environ else f"  export REDIS_URL={url}\n"
    console.print(
        f"Open the report:           {run / 'report.html'}\n"
        f"Look up anybody:\n{show}"
        "  .venv/bin/nightshelf get USER      or similar, popular, status, generations, rollback\n"
        "Another night:             make demo\n"
        "Your own log:              .venv/bin/python -m flows.nightly --help\n"
        "Stop the demo's Redis:     make demo-stop",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    typer.run(plain_errors(main))
