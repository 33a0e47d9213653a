"""`nightshelf init`: look, propose, ask, write, and offer the first night."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import typer

from data.duckdb_session import scratch
from data.importers.csv_columns import first_line
from data.schema import InputError, Report
from nightshelf.cli.tables.terminal import new_console, show_error, show_line
from nightshelf.contract.keys import Keys
from nightshelf.errors import NightshelfError
from nightshelf_ops.init.columns import Looked, look
from nightshelf_ops.init.document import document
from nightshelf_ops.init.findings import MAX_QUESTIONS
from nightshelf_ops.init.first_night import night_command, run_night
from nightshelf_ops.init.import_log import Ready, make_ready
from nightshelf_ops.init.proposal import Proposal, propose
from nightshelf_ops.init.reading.sources import find_sources
from nightshelf_ops.init.reading.tables import open_tables
from nightshelf_ops.init.settings_text import settings_text
from nightshelf_ops.init.show import prompt, show_proposal, show_ready
from tasks.check import Checked, check
from tasks.settings import load_settings


@dataclass(frozen=True)
class Ask:
    """Arguments of the command; `night` is None to ask about the first night."""

    paths: Sequence[str]
    namespace: str
    out: Path
    config: Path
    answers: Mapping[str, str] = field(default_factory=dict)
    yes: bool = False
    dry_run: bool = False
    force: bool = False
    night: bool | None = None
    as_json: bool = False


def carry_out(ask: Ask) -> None:
    """Do it all; an error is one line, or a JSON document, and exit code 1."""
    try:
        Keys(ask.namespace)
        if ask.config.exists() and not ask.force and not ask.dry_run:
            raise InputError(
                f"{ask.config} is there already: --config names another, --force overwrites it"
            )
        _initialise(ask)
    except (InputError, NightshelfError, OSError, duckdb.Error) as error:
        text = first_line(error) if isinstance(error, duckdb.Error) else str(error)
        if ask.as_json:
            typer.echo(json.dumps({"error": text}, indent=2))
        else:
            show_error(text)
        raise typer.Exit(1) from None


def _initialise(ask: Ask) -> None:
    interactive = not (ask.yes or ask.as_json or ask.dry_run) and at_terminal()
    if not (interactive or ask.yes or ask.as_json or ask.dry_run):
        raise InputError("nobody is at a terminal to answer: add --yes, or --dry-run to look only")
    with _no_empty_folders(ask.out), scratch(ask.out) as held:
        with _status("looking ...") as report:
            tables, left_out = _look(held.db, ask.paths, report)
            report("weighing what it is ...")
            proposal = propose(held.db, tables, ask.answers)
        proposal.left_out |= left_out
        if not ask.as_json:
            show_proposal(held.db, proposal)
        if interactive:
            proposal = _asked(held.db, ask, tables, proposal)
            proposal.left_out |= left_out
        if ask.dry_run:
            _report(ask, proposal, None, None)
            return
        with _status("importing ...") as report:
            ready = make_ready(held, proposal, report)
    _write(ask, proposal, ready, interactive=interactive)


def _asked(
    db: duckdb.DuckDBPyConnection, ask: Ask, tables: Sequence[Looked], proposal: Proposal
) -> Proposal:
    """Ask the open questions, and return the proposal that follows; `InputError` if it is wrong."""
    answers, changed = dict(ask.answers), False
    for _ in range(MAX_QUESTIONS):
        if not proposal.open_questions:
            break
        question = proposal.open_questions[0]
        answers[question.key] = prompt(question)
        changed = changed or answers[question.key] != question.default
        proposal = propose(db, tables, answers)
    if changed:
        show_proposal(db, proposal)
    if not typer.confirm("Is it right? Then it is written", default=True):
        raise InputError("nothing was written: --answer sets what was taken wrongly")
    return proposal


def at_terminal() -> bool:
    """Report whether somebody can be asked."""
    return sys.stdin.isatty()


def _look(
    db: duckdb.DuckDBPyConnection, paths: Sequence[str], report: Report
) -> tuple[list[Looked], dict[str, str]]:
    sources = find_sources(paths)
    tables = []
    for raw in open_tables(db, sources.found, report):
        report(f"looking at {raw.source.title} ...")
        tables.append(look(db, raw))
    if not tables:
        why = "; ".join(f"{path}: {reason}" for path, reason in sources.left_out.items())
        raise InputError(f"no table was found: {why}")
    return tables, sources.left_out


def _write(ask: Ask, proposal: Proposal, ready: Ready, *, interactive: bool) -> None:
    """Write the settings, check them with the files, and run the first night if that is wanted."""
    command = night_command(ready, ask.namespace, ask.config)
    ask.config.parent.mkdir(parents=True, exist_ok=True)
    ask.config.write_text(settings_text(proposal, ready, shlex.join(command), ask.namespace))
    load_settings(ask.namespace, ask.config)
    until = datetime.combine(ready.as_of, datetime.min.time(), UTC)
    with _status("checking as a night would ...") as report:
        report("checking as a night would ...")
        checked = check(ready.events, ready.items, ready.users, ask.namespace, until, ask.config)
    _report(ask, proposal, ready, checked)
    if checked.errors:
        raise typer.Exit(1)
    night = ask.night
    if night is None:
        night = interactive and typer.confirm("Run the first night now?", default=True)
    if night:
        run_night(command, as_json=ask.as_json)


def _report(ask: Ask, proposal: Proposal, ready: Ready | None, checked: Checked | None) -> None:
    if ask.as_json:
        typer.echo(
            json.dumps(
                document(proposal, ask.namespace, ask.config, ready, checked), indent=2, default=str
            )
        )
        return
    if ready is None or checked is None:
        show_line("Dry run: nothing was written")
        return
    show_ready(ready, str(ask.config))
    for kind, findings in (("error", checked.errors), ("warning", checked.warnings)):
        for finding in findings:
            show_line(f"{kind}: {finding}")
    show_line("")
    show_line(f"A night {'would fail' if checked.errors else 'can run'}:")
    show_line(f"  {shlex.join(night_command(ready, ask.namespace, ask.config))}")


@contextmanager
def _no_empty_folders(out: Path) -> Iterator[None]:
    """Remove the folders that were made for files which were not written."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    yield
    with suppress(OSError):  # those that hold files stay
        for folder in made:
            folder.rmdir()


@contextmanager
def _status(first: str) -> Iterator[Callable[[str], None]]:
    with new_console(stderr=True).status(first) as display:
        yield display.update
