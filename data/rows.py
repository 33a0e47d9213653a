"""The account of an import's rows: read = kept + refused, each reason with a count and a sample."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_SAMPLE_CHARS = 80


@dataclass(frozen=True)
class Place:
    """A line of a file (the first line of a record is 1), and a value that stands there."""

    file: Path
    line: int
    value: str | None

    def __str__(self) -> str:
        return f"{self.file.name} line {self.line}: {shown(self.value)}"


@dataclass
class Refusal:
    """The number of rows refused for one reason, and the first of them."""

    count: int
    sample: Place


@dataclass
class RowCount:
    """Account of one table's rows; blank lines and header lines are no rows.

    `what` names the table in print: `rows`, `items' rows`. Every refused row has one reason.
    """

    what: str
    read: int = 0
    blank_lines: int = 0
    refused: dict[str, Refusal] = field(default_factory=dict)

    @property
    def n_refused(self) -> int:
        """The number of refused rows, over all reasons."""
        return sum(refusal.count for refusal in self.refused.values())

    @property
    def kept(self) -> int:
        """The number of rows that were not refused."""
        return self.read - self.n_refused

    def refuse(self, reason: str, count: int, sample: Place) -> None:
        """Count rows as refused; the first sample stays."""
        if reason in self.refused:
            self.refused[reason].count += count
        else:
            self.refused[reason] = Refusal(count, sample)

    def lines(self) -> list[str]:
        """Return the sum as a line, then a line for each reason."""
        blank = f" (blank lines: {self.blank_lines:,})" if self.blank_lines else ""
        total = f"{self.read:,} {self.what} read = {self.kept:,} kept + {self.n_refused:,} refused"
        return [
            total + blank,
            *(f"  {r.count:,} refused: {why} ({r.sample})" for why, r in self.refused.items()),
        ]

    def counts(self) -> dict[str, int]:
        """Return the sum as figures by name."""
        figures = {"read": self.read, "kept": self.kept, "refused": self.n_refused}
        return {f"{self.what} {name}": count for name, count in figures.items()}

    def as_json(self) -> Mapping[str, object]:
        """Return the account in JSON types."""
        return {
            **{"rows": self.what, "read": self.read, "kept": self.kept},
            "blank_lines": self.blank_lines,
            "refused": [
                {
                    **{"reason": why, "count": r.count, "file": str(r.sample.file)},
                    **{"line": r.sample.line, "value": r.sample.value},
                }
                for why, r in self.refused.items()
            ],
        }


def shown(value: str | None) -> str:
    """Return a value in quotes, control characters escaped, cut to a readable length."""
    if value is None:
        return "empty"
    cut = value if len(value) <= _SAMPLE_CHARS else value[: _SAMPLE_CHARS - 4] + " ..."
    return repr(cut).replace("\\\\", "\\")
