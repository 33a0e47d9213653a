"""DuckDB as the night uses it, in a process of its own, to that process's end."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from tasks.io.duckdb_session import connect, shared_database, stream

_CLIENT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tasks.io import duckdb_session
from tasks.runs.run_folder import Run

run = Run("shop", 1, datetime.now(UTC), Path(sys.argv[1]))
with duckdb_session.connect(run.folder) as connection:
    batches = duckdb_session.stream(connection, "FROM range($n)", {"n": 7})
    n = sum(batch.num_rows for batch in batches)
print(n)
"""


def test_a_client_ends_without_a_word(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _CLIENT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("7\n", "")


def names(db: duckdb.DuckDBPyConnection) -> list[str]:
    return [name for (name,) in db.execute("SHOW TABLES").fetchall()]


def names_of_another(folder: Path) -> list[str]:
    with connect(folder) as db:
        return names(db)


def test_sessions_of_a_shared_database_have_their_own_tables_and_settings(tmp_path: Path) -> None:
    with shared_database(tmp_path):
        with connect(tmp_path) as one, connect(tmp_path) as two:
            one.execute("CREATE TABLE mine AS SELECT 1 AS n")
            one.sql("SELECT 2 AS n").create_view("also_mine")
            assert (names(one), names(two)) == (["also_mine", "mine"], [])
            assert one.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
            assert two.execute("SELECT event_points(1, 0, 7)").fetchone() == (2**32,)
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(names_of_another, tmp_path).result() == []
        assert names_of_another(tmp_path) == []
        with pytest.raises(duckdb.CatalogException), connect(tmp_path) as broken:
            broken.execute("SELECT * FROM mine")
        with pytest.raises(ValueError, match="mine"), connect(tmp_path) as broken:
            broken.execute("BEGIN")
            broken.execute("CREATE TABLE mine AS SELECT 1 AS n")
            rows = stream(broken, "FROM range(10000000)", {})
            rows.read_next_batch()
            raise ValueError("mine")
        assert names_of_another(tmp_path) == []
    assert not list(tmp_path.iterdir())
