"""`nightshelf experiment readout`: one experiment read out from the log, and its page written."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import typer

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.contract.keys import Keys
from tasks.experiments.load import load_experiments
from tasks.readout.read_out import Source, named, read_out
from tasks.readout.records import Readout
from tasks.readout.save import save
from tasks.readout.tables import tables
from tasks.settings import load_settings


def carry_out(
    experiment: str,
    events: Path,
    users: Path | None,
    namespace: str,
    as_of: datetime | None,
    run_root: Path,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    """Read an experiment out, save the readout, and print it; raises `NightshelfError`."""
    Keys(namespace)  # it names folders too
    settings = load_settings(namespace, config)
    definition = named(load_experiments(namespace, config), experiment, namespace)
    weights = settings.features.weights
    source = Source(namespace, events, users, run_root, settings.roles, weights)
    until = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else datetime.now(UTC)
    found = read_out(definition, source, settings.readout, until)
    page = save(found, source.history.folder, namespace)
    if as_json:
        document = {"namespace": namespace, **found.document(), "page": str(page)}
        typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        show(found)
        show_line(f"{page} has this with its intervals drawn")


def show(found: Readout) -> None:
    """Print a readout: its sentences, then its tables."""
    console = new_console()
    for sentence in found.sentences:
        show_line(sentence)
    for table in tables(found):
        shown = new_table(*table.heads, right=table.heads[table.n_names :])
        for row in table.rows:
            add_row(shown, *row)
        show_line("")
        show_line(f"{table.title}: {table.about}")
        console.print(shown)
