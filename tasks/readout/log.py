"""A log opened for a readout: its files, the columns taken, the events that metrics count."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from tasks.errors import InputError
from tasks.io.duckdb_session import connect, one_file, query
from tasks.io.find_files import find_files
from tasks.readout.measures import Counted

#: Columns of the log that a readout takes; one that the files lack is null.
_COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("event_id", "user_id", "event_type", "item_id")),
        ("ts", pa.timestamp("us", "UTC")),
        ("value", pa.float64()),
        *((name, pa.string()) for name in ("experiment", "variant")),
        ("phase", pa.int32()),
    ]
)
_SEGMENTS = pa.schema([("user_id", pa.string()), ("segment", pa.string())])
_WANTED = pa.schema([("metric", pa.int32()), ("kind", pa.string()), ("event_type", pa.string())])


@dataclass(frozen=True)
class Asked:
    """Part of a log to sum up: one experiment, or every impression where that is `None`.

    Exposures lie from `since` on, and have had their whole attribution window by `until`.
    """

    experiment: str | None
    since: datetime
    until: datetime
    counted: Counted
    attribution_window_h: float = 24.0

    @property
    def window(self) -> timedelta:
        """Time after an exposure in which an outcome counts."""
        return timedelta(hours=self.attribution_window_h)


@contextmanager
def open_log(
    events: Path, asked: Asked, since: datetime, folder: Path, users: Path | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database with the views `log`, `wanted` and `segments`; it spills below `folder`.

    Raises `InputError` for a file that DuckDB cannot read, or a column of another type.
    """
    with connect(folder) as database:
        try:
            _make_views(database, files_of(events, since, asked.until), asked, users)
            yield database
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException) as e:
            raise InputError(f"events: {events} cannot be read: {str(e).splitlines()[0]}") from e


def files_of(events: Path, since: datetime, until: datetime) -> list[Path]:
    """Return the log's files; of dated partitions those that can hold an event between."""
    first, last = (
        f"date={instant + timedelta(days=days):%Y-%m-%d}"
        for instant, days in ((since, -1), (until, 1))
    )
    return [
        file
        for file in find_files("events", events).files
        if not file.parent.name.startswith("date=") or first <= file.parent.name <= last
    ]


def _make_views(
    database: duckdb.DuckDBPyConnection, files: Sequence[Path], asked: Asked, users: Path | None
) -> None:
    """Make the tables and views that the statements read."""
    database.from_arrow(_COLUMNS.empty_table()).create("nothing")
    if files:
        paths = [one_file(file) for file in files]
        read = database.read_parquet(paths, union_by_name=True, hive_partitioning=False)
        read.create_view("files")
    else:
        database.table("nothing").create_view("files")
    database.execute(f"CREATE TEMP VIEW log AS {query('readout/logs')}")
    rows = zip(*asked.counted.types(), strict=True)
    wanted = [pa.array(column, kind) for column, kind in zip(rows, _WANTED.types, strict=True)]
    database.from_arrow(pa.table(wanted, _WANTED)).create("wanted")
    database.from_arrow(_SEGMENTS.empty_table()).create("segments")
    if users:
        database.execute(
            "INSERT INTO segments SELECT user_id, min(segment) FROM read_parquet($file) GROUP BY 1",
            {"file": one_file(users)},
        )
