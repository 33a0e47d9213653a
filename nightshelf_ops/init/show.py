"""The proposal on a terminal: tables, columns, event types, a sample of events, doubts."""

import duckdb

from data.importers.csv_table import FILE, LINE
from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf_ops.init.findings import Question
from nightshelf_ops.init.import_log import Ready
from nightshelf_ops.init.proposal import Proposal

_SAMPLE_ROWS = 5
_CHARS = 28


def show_proposal(db: duckdb.DuckDBPyConnection, proposal: Proposal) -> None:
    """Print what was understood."""
    facts = proposal.facts
    show_line(
        f"{facts.n_events:,} events of {facts.n_users:,} users and {facts.n_items:,} items, "
        f"{facts.first:%Y-%m-%d %H:%M} to {facts.last:%Y-%m-%d %H:%M} UTC"
    )
    show_line("")
    table = new_table("file or table", "used as", right=())
    for title, use in [*proposal.used.items(), *proposal.left_out.items()]:
        left_out = "left out: " if title in proposal.left_out else ""
        add_row(table, title, f"{left_out}{use}")
    new_console().print(table)
    show_line("")
    _show_findings(proposal)
    _show_types(proposal)
    _show_sample(db)
    for note in [*proposal.notes, *_warnings(proposal)]:
        show_line(f"note: {note}")


def _show_findings(proposal: Proposal) -> None:
    table = new_table("finding", "", "confidence", "reason", right=())
    for each in proposal.findings:
        add_row(table, each.subject, each.value, each.sure, each.why)
    new_console().print(table)
    show_line("")


def _show_types(proposal: Proposal) -> None:
    rules = proposal.rules
    table = new_table("event type", "events", "weight", "seen", right=("events", "weight"))
    for each in rules.types:
        seen = "not shown again" if each.name in rules.seen else ""
        add_row(table, each.name, f"{each.n_events:,}", f"{each.weight:g}", seen)
    new_console().print(table)
    if rules.why_seen:
        show_line(rules.why_seen)
    show_line(f"half-life {rules.half_life_days:g} days: {rules.why_half_life}")
    show_line("")


def _show_sample(db: duckdb.DuckDBPyConnection) -> None:
    table = new_table("user", "item", "type", "time", "value", right=("value",))
    rows = db.execute(
        "SELECT user_id, item_id, event_type, ts, value FROM log WHERE user_id IS NOT NULL "
        f"AND item_id IS NOT NULL AND ts IS NOT NULL ORDER BY {FILE}, {LINE} LIMIT {_SAMPLE_ROWS}"
    ).fetchall()
    for row in rows:
        add_row(table, *("" if cell is None else str(cell)[:_CHARS] for cell in row))
    show_line("As it is understood, the log begins:")
    new_console().print(table)
    show_line("")


def _warnings(proposal: Proposal) -> list[str]:
    facts, found = proposal.facts, []
    if facts.n_repeated:
        found.append(
            f"{facts.n_repeated:,} rows repeat another (the same order line, or the same user, "
            "item, type and second): a night counts them once"
        )
    if refused := facts.n_rows - facts.n_events:
        found.append(f"{refused:,} rows will be refused, each with its reason")
    if proposal.n_orphans:
        found.append(
            f"{proposal.n_orphans:,} events are of {proposal.n_orphan_items:,} items that the "
            "catalogue lacks: "
            + (
                "a night puts them into quarantine"
                if proposal.as_is
                else "they teach, and are not shown"
            )
        )
    return found


def show_ready(ready: Ready, config: str) -> None:
    """Print the account of an import, and the files."""
    if ready.imported:
        for line in [line for count in ready.imported.rows for line in count.lines()]:
            show_line(line)
        for note in ready.imported.notes:
            show_line(f"note: {note}")
        show_line("")
    else:
        show_line("Nothing to import: a night reads these files as they are.")
    for path in (ready.events, ready.items, ready.users):
        if path:
            show_line(f"  {path}")
    show_line(f"  {config}")


def prompt(question: Question) -> str:
    """Ask a question on the terminal until an answer fits; Enter takes the default."""
    show_line(question.text)
    names = list(question.options)
    for number, name in enumerate(names, start=1):
        default = "  (Enter)" if name == question.default else ""
        show_line(f"  {number}  {name}: {question.options[name]}{default}")
    while True:
        given = input("> ").strip()
        if not given:
            return question.default
        if given.isdecimal() and 0 < int(given) <= len(names):
            return names[int(given) - 1]
        if given in names or (question.free and given):
            return given
        show_line(f"One of 1 to {len(names)}, please.")
