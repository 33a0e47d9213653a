"""Command ``nightshelf alerts test``: send a message to every receiver of the watch."""

import json
from typing import Annotated

import typer

from nightshelf.cli.alerts import group
from nightshelf.cli.options import SHOP, Config, Json, Namespace
from nightshelf.cli.tables.terminal import add_row, new_console, new_table
from nightshelf_ops.reporting import pipeline, reported

To = Annotated[str | None, typer.Option(help="Only to the receiver of this name.")]


@group.command(epilog="Examples: nightshelf alerts test; nightshelf alerts test -s homepage --json")
def test(
    namespace: Namespace = SHOP, config: Config = None, to: To = None, as_json: Json = False
) -> None:
    """Send one test message to each receiver in the settings, and say which accepted it."""
    with reported(as_json=as_json):
        with pipeline():
            from flows._notify_block import senders_of
            from tasks.errors import SettingsError
            from tasks.settings import load_settings
            from tasks.watch.message import trial_message
            from tasks.watch.send import try_all
        senders = senders_of(load_settings(namespace, config).watch)
        chosen = {name: send for name, send in senders.items() if to in (None, name)}
        if not chosen:
            known = f"; known: {', '.join(senders)}" if senders else ""
            raise SettingsError(
                "no receiver: set watch.notify to Apprise addresses, or watch.notify_blocks to "
                f"Prefect's notification blocks (docs/how-to/get-alerts.md){known}"
            )
        outcomes = try_all(chosen, trial_message(namespace))
    if as_json:
        rows = [{"receiver": name, "error": error} for name, error in outcomes.items()]
        typer.echo(json.dumps({"namespace": namespace, "receivers": rows}, indent=2))
    else:
        table = new_table("receiver", "outcome", right=())
        for name, error in outcomes.items():
            add_row(table, name, f"failed: {error}" if error else "sent")
        new_console().print(table)
    raise typer.Exit(1 if any(outcomes.values()) else 0)
