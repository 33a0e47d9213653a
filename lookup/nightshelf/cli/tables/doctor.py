"""Table of the doctor's findings, with a remedy below each problem."""

from collections import Counter
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nightshelf.cli.tables.terminal import new_console, plain, show_line
from nightshelf.doctor.finding import Finding, Outcome

_STYLES: dict[Outcome, str] = {
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
    "unknown": "dim",
}


def show_findings(findings: Mapping[str, Finding], namespace: str, place: str) -> None:
    """Print the findings as a table, and how many there are of each outcome."""
    show_line(f"{namespace} at {place}")
    table = Table(box=SIMPLE_HEAD, show_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    for name, finding in findings.items():
        words = Text(plain(finding.found))
        if finding.remedy:
            words.append(f"\n-> {plain(finding.remedy)}", style="bold")
        table.add_row(Text(finding.outcome, style=_STYLES[finding.outcome]), Text(name), words)
    new_console().print(table)
    counts = Counter(finding.outcome for finding in findings.values())
    show_line(", ".join(f"{counts[outcome]} {outcome}" for outcome in _STYLES if counts[outcome]))
