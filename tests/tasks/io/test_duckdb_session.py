"""DuckDB as the night uses it, in a process of its own, to that process's end."""

import subprocess
import sys
from pathlib import Path

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
