"""A query on the collected event log, by DuckDB: `nightshelf[dashboard]`.

The log is `date=YYYY-MM-DD/*.parquet`, by the UTC date of an event's `ts`; its columns are those of
``query.sql``, of which `user_id`, `event_type` and `ts` are required.
"""

import glob
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from nightshelf.contract.feature_rules import PURCHASE
from nightshelf.service.dashboard.connection import TooMuch, connection

Row = dict[str, Any]

_NEEDED = ("user_id", "event_type", "ts")
_STATEMENT = Path(__file__).with_suffix(".sql")
#: The total and the largest parts, as callers make up names of models.
_MAX_ROWS = 1_000


class Unreadable(Exception):  # noqa: N818
    """A file of the log cannot be read; the message names it, `reason` says why."""

    def __init__(self, which: str, reason: str = "is damaged, or still being written") -> None:
        super().__init__(which)
        self.reason = reason


@dataclass(frozen=True)
class Asked:
    """The figures of the UTC days from `start` to `end`, both included, of one model or all.

    Parts are hours of the day where `hourly`, else models and variants. Events of the types
    `purchases` are conversions.
    """

    start: date
    end: date
    model: str | None = None
    hourly: bool = False
    purchases: tuple[str, ...] = (PURCHASE,)

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days + 1


def figures(folder: Path, asked: Asked, limit_s: float) -> list[Row]:
    """Return the total's row, then one for each part, with the columns of ``query.sql``.

    Reads only the partitions asked for; no rows where these hold no file. Raises `TooMuch` and
    `Unreadable`.
    """
    files = [file for number in range(asked.days) for file in _files(folder, asked, number)]
    if not files:
        return []
    parameters = {
        "files": [glob.escape(str(file)) for file in files],
        "hourly": asked.hourly,
        "model": asked.model,
        "purchases": list(asked.purchases),
        "max_rows": _MAX_ROWS,
    }
    try:
        with connection(limit_s) as db:
            _check_columns(db, parameters["files"], folder)
            answer = db.execute(_STATEMENT.read_text(), parameters)
            names = [column[0] for column in answer.description]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
        raise TooMuch from error
    except duckdb.Error as error:
        named = (file for file in files if str(file) in str(error))
        which = next((str(file.relative_to(folder)) for file in named), "a file of these days")
        if isinstance(error, duckdb.DataError | duckdb.ProgrammingError) and "arquet" not in str(
            error
        ):
            raise Unreadable(which, f"has other types: {str(error).splitlines()[0]}") from error
        raise Unreadable(which) from error


def _check_columns(db: duckdb.DuckDBPyConnection, files: object, folder: Path) -> None:
    """Raise `Unreadable` for a file without a required column."""
    found = db.execute(
        "SELECT file_name, list(name) FROM parquet_schema($files) GROUP BY file_name ORDER BY 1",
        {"files": files},
    ).fetchall()
    for file, names in found:
        if lacking := [name for name in _NEEDED if name not in names]:
            reason = f"has no column {', '.join(lacking)}"
            raise Unreadable(str(Path(file).relative_to(folder)), reason)


def _files(folder: Path, asked: Asked, number: int) -> list[Path]:
    """Return the complete files of one day; files being written have another name."""
    partition = folder / f"date={asked.start + timedelta(days=number)}"
    return sorted(file for file in partition.glob("*.parquet") if file.name[0] not in "._")
