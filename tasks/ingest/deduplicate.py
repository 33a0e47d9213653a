"""The good events of a log in order of time, each once, some days at a time.

Sorting the whole log spills to disk once it is larger than DuckDB's memory; sorting days one after
another takes a fifth of the time.
"""

from collections.abc import Iterator
from datetime import date

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.io.duckdb_session import query, stream

#: Rows sorted at a time, beyond those of the last day: about 500 MB.
_RANGE_ROWS = 4_000_000
#: Marks sorted at a time: 128 MB.
_MARKS = 2**24


def find_repeated(db: duckdb.DuckDBPyConnection) -> None:
    """Make good_events, repeated_events and once_events from the table validated_events."""
    db.execute(f"CREATE TEMP VIEW good_events AS {query('ingest/good_events')}")
    db.from_arrow(pa.table({"mark": _repeated_marks(db)})).create("repeated_events")
    db.execute(f"CREATE TEMP TABLE once_events AS {query('ingest/once_events')}")


def distinct_events(db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
    """Return the clean events in order of time, from what `find_repeated` made."""
    sql = query("ingest/clean_events")
    nothing = stream(db, sql, {"first": date.max, "last": date.min})
    batches = (
        batch
        for first, last in _day_ranges(db)
        for batch in stream(db, sql, {"first": first, "last": last})
    )
    return pa.RecordBatchReader.from_batches(nothing.schema, batches)


def _repeated_marks(db: duckdb.DuckDBPyConnection) -> npt.NDArray[np.uint64]:
    """Return the marks shared by several rows, which may be one event.

    They are few: sorting finds them faster and in less memory than a hash table.
    """
    n_rows = len(db.table("validated_events"))
    parts = []
    for part in range(n_rows // _MARKS + 1):
        sql = "SELECT mark FROM good_events WHERE mark % $parts::UBIGINT = $part::UBIGINT"
        of_part = {"parts": n_rows // _MARKS + 1, "part": part}
        marks = np.sort(db.execute(sql, of_part).fetchnumpy()["mark"])
        parts.append(np.unique(marks[1:][marks[1:] == marks[:-1]]))
    return np.concatenate(parts)


def _day_ranges(db: duckdb.DuckDBPyConnection) -> Iterator[tuple[date, date]]:
    """Yield the first and the last day of each range of days, in order."""
    counts = "SELECT ts::DATE AS day, count(*) FROM good_events GROUP BY day ORDER BY day"
    days: list[date] = []
    n_rows = 0
    for day, n in db.execute(counts).fetchall():
        days.append(day)
        n_rows += n
        if n_rows >= _RANGE_ROWS:
            yield days[0], days[-1]
            days, n_rows = [], 0
    if days:
        yield days[0], days[-1]
