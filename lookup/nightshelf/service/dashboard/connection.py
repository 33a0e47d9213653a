"""DuckDB with bounds on memory, disk and time: `nightshelf[dashboard]`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

import duckdb

_MEMORY = "256MB"
#: Bound of the files that take what does not fit in memory.
_SPILL = "1GB"


class TooMuch(Exception):  # noqa: N818 - a condition of the question, not an error
    """The query takes more time or memory than allowed."""


@contextmanager
def connection(limit_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database on one thread, which is interrupted after `limit_s`."""
    with (
        TemporaryDirectory(prefix="nightshelf-dashboard-") as spill,
        duckdb.connect(
            config={
                "memory_limit": _MEMORY,
                "threads": 1,
                "temp_directory": spill,
                "max_temp_directory_size": _SPILL,
            }
        ) as db,
    ):
        db.execute("SET TimeZone = 'UTC'")  # for times without a zone
        timer = Timer(limit_s, db.interrupt)
        timer.start()
        try:
            yield db
        finally:
            timer.cancel()
            timer.join()  # wait for a running interrupt, as the database closes next


def answer(statement: str, parameters: Mapping[str, Any], limit_s: float) -> list[dict[str, Any]]:
    """Return the rows of a query; raises `TooMuch`, and `ValueError` for an unreadable file."""
    try:
        with connection(limit_s) as db:
            found = db.execute(statement, parameters)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
        raise TooMuch from error
    except duckdb.Error as error:
        raise ValueError(str(error).splitlines()[0]) from error
