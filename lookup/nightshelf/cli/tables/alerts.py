"""Table of incidents: one a row, the open ones first."""

from collections.abc import Sequence
from datetime import datetime

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.contract.incident import Incident, WatchPass
from nightshelf.contract.values import instant
from nightshelf.text import age_text, minute_text

#: Rows of incidents that are over.
_SHOWN = 20


def show_alerts(found: Sequence[Incident], done: WatchPass | None, now: datetime) -> None:
    """Print incidents, those that are open with what to do, then the last pass."""
    n_open = sum(each.ended is None for each in found)
    shown = found[: n_open + _SHOWN]
    if shown:
        table = new_table("state", "rule", "since", "until", "figure", "messages", right=())
        for each in shown:
            until = minute_text(each.ended) if each.ended else "-"
            sent = ", ".join(f"{kind} {state}" for kind, state in each.sent.items())
            state = "over" if each.ended else each.level
            add_row(table, state, each.rule, minute_text(each.since), until, each.says, sent)
        new_console().print(table)
    for each in shown[:n_open]:
        show_line(f"{each.rule}: {each.advice} {each.runbook}")
    show_line(f"{n_open} open, {len(found) - n_open} over")
    show_line(_of_pass(done, now))


def _of_pass(done: WatchPass | None, now: datetime) -> str:
    if done is None:
        return "no watch has run yet: flows/watch.py (docs/how-to/get-alerts.md)"
    at = instant(done.at)
    ago = age_text((now - at).total_seconds()) if at else "an unknown time"
    levels = [each.level for each in done.figures]
    counts = [
        f"{levels.count(level)} {level}" for level in ("ok", "warning", "critical", "unknown")
    ]
    return f"Last pass {ago} ago: {', '.join(counts)}"
