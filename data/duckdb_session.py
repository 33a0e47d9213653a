"""DuckDB database of one import: on disk, bounded in memory, in UTC.

Files are written in its folder and moved to their places at the end: an import that fails leaves
nothing, and earlier files stay.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from data.schema import InputError, write_relation

#: Sorts 25 million ratings; beyond it DuckDB spills to the scratch folder.
MEMORY_LIMIT = "2GiB"


@dataclass
class Scratch:
    """A database, and the files written beside it, by their final paths."""

    db: duckdb.DuckDBPyConnection
    folder: Path
    out: Path
    written: dict[Path, Path] = field(default_factory=dict)

    def write(
        self, name: str, schema: pa.Schema, relation: duckdb.DuckDBPyRelation, order: str
    ) -> tuple[Path, int]:
        """Write a relation as `name`; return its final path and its number of rows."""
        final, partial = self.out / name, self.folder / name
        if final.is_dir():
            raise InputError(f"{final} is a folder: expected room for a file")
        rows = write_relation(partial, schema, relation, order)
        self.written[final] = partial
        return final, rows


@contextmanager
def scratch(out: Path) -> Iterator[Scratch]:
    """Open a database in a temporary folder under `out`."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    done = False
    try:
        with TemporaryDirectory(prefix=".import-", dir=out) as folder:
            with duckdb.connect(Path(folder) / "import.duckdb") as db:
                db.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY_LIMIT}'")
                db.execute("SET enable_progress_bar = false")
                db.execute("SET temp_directory = $folder", {"folder": folder})
                held = Scratch(db, Path(folder), out)
                yield held
            for final, partial in held.written.items():
                partial.replace(final)
            done = True
    finally:
        with suppress(OSError):  # another process may have written there
            for empty in [] if done else made:
                empty.rmdir()
