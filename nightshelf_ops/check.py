"""`nightshelf check`: findings in inputs and settings, before any night."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from tasks.check import Checked, check

_NUMBERS = ("files", "rows", "idle", "after as_of", "bad", "good")


def carry_out(
    events: Path,
    items: Path,
    users: Path | None,
    namespace: str,
    as_of: datetime | None,
    config: Path | None,
    quarantine: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print all findings; exit with 1 where there are errors."""
    until = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else None
    with new_console(stderr=True).status("checking ..."):
        checked = check(events, items, users, namespace, until, config, quarantine)
    if as_json:
        typer.echo(json.dumps({"namespace": namespace, **asdict(checked)}, default=str, indent=2))
    else:
        _show(checked, namespace)
    if checked.errors:
        raise typer.Exit(1)


def _show(checked: Checked, namespace: str) -> None:
    table = new_table("relation", *_NUMBERS, right=_NUMBERS)
    for row in checked.rows:
        add_row(table, *(f"{n:,}" if isinstance(n, int) else n for n in vars(row).values()))
    new_console().print(table)
    for kind, findings in (("error", checked.errors), ("warning", checked.warnings)):
        for finding in findings:
            for line in finding.splitlines():
                show_line(f"{kind}: {line}")
    n_errors, n_warnings = len(checked.errors), len(checked.warnings)
    verdict = "would fail" if n_errors else "can run"
    show_line(
        f"A night of {namespace} as of {checked.as_of:%Y-%m-%d %H:%M} UTC {verdict}: "
        f"{n_errors} errors, {n_warnings} warnings"
    )
