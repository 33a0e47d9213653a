"""Output of the nightly command: figures, three users' lists, commands to type next."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import duckdb
from redis import Redis
from rich.console import Console
from rich.table import Table

from nightshelf.cli.context import Context
from nightshelf.client.transport.connection import address
from tasks.io.duckdb_session import one_file
from tasks.report.build import Report

#: The most active user with a list, the least active one, and one who was never here.
_USERS_SQL = """
SELECT user_id, events FROM read_parquet($features)
JOIN (SELECT key AS user_id FROM read_parquet($lists)) USING (user_id)
ORDER BY events {order}, user_id LIMIT 1
"""
_STRANGER = "nobody-yet"
_SHOWN = 5


def show_summary(page: Report, namespace: str, client: Redis) -> None:
    """Print a night's figures and lists as readers see them."""
    console, folder = Console(), page.json.parent
    facts: dict[str, Any] = json.loads(page.json.read_text())
    console.rule("[bold]The report")
    console.print(_figures(facts))
    for warning in facts["warnings"]:
        console.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    console.rule("[bold]Three users")
    if page.state != "live":
        words = f"Generation {folder.name} is {page.state}: readers go on getting what was live."
        console.print(words, highlight=False)
    context = Context(client, namespace)
    shelf = context.open_shelf()
    for title, user in _three(folder):
        asked = f"nightshelf get {shlex.quote(user)} -n {_SHOWN} -s {namespace}"
        console.print(f"\n{title}: {asked}", style="bold", markup=False, highlight=False)
        context.show_result(shelf, user, "list", shelf.get(user, _SHOWN))
    console.rule("[bold]What next")
    console.print(_next(page, namespace, client), markup=False, highlight=False, soft_wrap=True)


def _figures(facts: dict[str, Any]) -> Table:
    table = Table("figure", "tonight", "target", "")
    for row in facts["headline"]:
        mark = "[green]met[/]" if row["met"] else "[red]missed[/]"
        table.add_row(row["figure"], row["value"], row["target"], mark)
    lists, source, memory = facts["lists"], facts["input"], facts["memory"]
    for figure, value in (
        ("Events learnt from", f"{source['events']:,}"),
        ("Rows in quarantine", f"{source['quarantined']:,}"),
        ("Users with a list of their own", f"{lists['n_lists']:,}"),
        ("Users who fall back", f"{lists['n_fallback']:,}"),
        ("Items in some list", f"{lists['n_distinct']:,} of {lists['n_available']:,}"),
        ("Bytes a user in Redis", f"{memory['bytes_a_user']:,.0f}"),
    ):
        table.add_row(figure, value)
    return table


def _three(folder: Path) -> list[tuple[str, str]]:
    """Return three users of a run, with a title each; fewer where it has no lists."""
    files = {
        "features": one_file(folder / "features/users.parquet"),
        "lists": one_file(folder / "lists/lists.parquet"),
    }
    found = []
    with duckdb.connect() as db:
        for title, order in (("A heavy user", "DESC"), ("A light user", "ASC")):
            rows = db.execute(_USERS_SQL.format(order=order), files).fetchall()
            found += [(f"{title} ({n:,} events)", user) for user, n in rows]
    return [*found, ("A stranger", _STRANGER)]


def _next(page: Report, namespace: str, client: Redis) -> str:
    executable = Path(sys.executable).with_name("nightshelf")
    here = Path.cwd()
    name = executable.relative_to(here) if executable.is_relative_to(here) else executable
    return (
        f"Redis, as REDIS_URL:  {address(client)}\n"
        f"Look up anybody:      {name} get USER -s {namespace}\n"
        f"See what is live:     {name} status -s {namespace}\n"
        f"Go back:              {name} rollback -s {namespace}\n"
        f"Report: {page.html}"
    )
