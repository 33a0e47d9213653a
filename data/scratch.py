"""A DuckDB database for the length of an import: on disk, bounded in memory, in UTC."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

#: Enough to sort 25 million ratings; beyond it DuckDB spills to the scratch folder.
MEMORY_LIMIT = "2GiB"


@contextmanager
def scratch(out: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in a folder of its own under `out`, which goes when the block ends."""
    out.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix=".import-", dir=out) as folder,
        duckdb.connect(Path(folder) / "import.duckdb") as db,
    ):
        db.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY_LIMIT}'")
        db.execute("SET enable_progress_bar = false")
        db.execute("SET temp_directory = $folder", {"folder": folder})
        yield db
