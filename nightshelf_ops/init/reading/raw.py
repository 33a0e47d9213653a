"""Tables of text, and the text of typed columns."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from data.importers.csv_table import quoted
from data.rows import RowCount
from nightshelf_ops.init.reading.sources import Source


@dataclass(frozen=True)
class Raw:
    """A DuckDB table of text columns, with `__file` (a position in `files`) and `__line`."""

    name: str
    source: Source
    files: tuple[Path, ...]
    count: RowCount


def counted(
    db: duckdb.DuckDBPyConnection, name: str, source: Source, files: tuple[Path, ...]
) -> Raw:
    """Return a table that was read whole."""
    return Raw(name, source, files, RowCount(source.title, len(db.table(name))))


def typed_text(column: str, kind: str) -> str:
    """Return SQL for a typed column as text, under its name."""
    name = quoted(column)
    if kind == "BLOB":
        return f"TRY(decode({name})) AS {name}"
    if kind.endswith("[]") or kind.startswith(("STRUCT", "MAP")):
        return f"CAST(to_json({name}) AS VARCHAR) AS {name}"
    return f"CAST({name} AS VARCHAR) AS {name}"
