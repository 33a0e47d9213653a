"""Summary of a backfill: a line a date, for the Prefect UI and for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.table import Table

from nightshelf.errors import NightshelfError
from tasks.backfill import Summary, summarise
from tasks.runs.run_folder import Run

_RIGHT = ("events", "users", "items", "coverage", "diversity", "ndcg@10", "seconds")


@dataclass(frozen=True)
class Row:
    """Outcome of a date: its run where it has one, and `why` where something went wrong.

    `state` is "made", "kept" (made by an earlier backfill), "failed", or that of the generation
    that was published: "live", "staged", "blocked".
    """

    as_of: datetime
    state: str
    run: Run | None = None
    why: str = ""

    @property
    def day(self) -> str:
        """The date, as in a calendar."""
        return f"{self.as_of:%Y-%m-%d}"

    @property
    def report(self) -> Path | None:
        """The report, or the run's folder where none was made."""
        if self.run is None:
            return None
        page = self.run.folder / "report.html"
        return page if page.exists() else self.run.folder

    def cells(self) -> dict[str, str]:
        """Return the line's cells by the head of their column; empty where there is nothing."""
        found = summarise(self.run) if self.run else Summary()
        return {
            "date": self.day,
            "state": self.state,
            "events": _text(found.events, ",d"),
            "users": _text(found.users, ",d"),
            "items": _text(found.items, ",d"),
            "coverage": _text(found.coverage, ".3f"),
            "diversity": _text(found.diversity, ".3f"),
            "ndcg@10": _text(found.ndcg_at_10, ".4f"),
            "seconds": _text(found.seconds, ".1f"),
            "report": str(self.report or ""),
        }


class BackfillFailed(NightshelfError):  # noqa: N818 - reads better at the call site
    """Error for dates that were not made, or not published; `rows` has all dates."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        failed = [f"{row.day}: {row.why}" for row in rows if row.why]
        super().__init__(f"{len(failed)} of {len(rows)} dates failed. " + " ".join(failed))


def to_table(rows: Sequence[Row]) -> Table:
    """Return the summary for a terminal, without the reasons of failures."""
    table = Table(box=None, pad_edge=False)
    for head in rows[0].cells():
        table.add_column(head, justify="right" if head in _RIGHT else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row.cells().values())
    return table


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
