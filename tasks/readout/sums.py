"""Sums of an experiment's users, from the event log: one row a phase, variant, day and segment.

All rows of the log stay in DuckDB, within its memory limit; Python sees sums alone. Sums are of
whole numbers, so that they are equal in any order.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from tasks.errors import InputError
from tasks.io.duckdb_session import connect, one_file, query
from tasks.io.find_files import find_files
from tasks.readout import wide
from tasks.readout.measures import PRE_SHOWN, SHOWN, Counted, products
from tasks.readout.settings import ReadoutSettings
from tasks.statistics.moments import Moments

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
R = TypeVar("R", "Row", "AgeRow")


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


@dataclass(frozen=True)
class Row:
    """Moments of the users of one phase and variant who were first exposed on a day.

    Users that are `is_returning` were exposed in an earlier phase already.
    """

    phase: int
    variant: str
    day: date
    segment: str
    is_returning: bool
    moments: Moments


@dataclass(frozen=True)
class AgeRow:
    """Moments of the users of a variant on a day after their first: `age` 0 is the first day."""

    variant: str
    age: int
    moments: Moments


@dataclass(frozen=True)
class Cut:
    """Winsorization of a metric: values of `n_users` users above `at` count as `at`."""

    metric: str
    at: float
    n_users: int


@dataclass(frozen=True)
class Sums:
    """All sums of a readout; `n_waiting` exposures are too young, `n_crossed` users set aside."""

    rows: tuple[Row, ...]
    ages: tuple[AgeRow, ...]
    n_exposures: int
    n_waiting: int
    n_crossed: int
    cuts: tuple[Cut, ...]


def sum_up(
    events: Path, asked: Asked, settings: ReadoutSettings, folder: Path, users: Path | None = None
) -> Sums:
    """Join exposures to outcomes, and sum up; spilled rows go below `folder`.

    `events` is a Parquet file or a folder of `date=YYYY-MM-DD/`, `users` a Parquet file with
    segments. Raises `InputError` for files that cannot be read.
    """
    before = timedelta(days=settings.before_days)
    with connect(folder) as database, _readable(events):
        _open(database, files_of(events, asked.since - before, asked.until), asked, users)
        span = {"since": asked.since - before, "until": asked.until}
        _make(database, "repeated", **span)
        _make(
            database, "event",
            **span, started=asked.since, exposed_until=asked.until - asked.window,
            experiment=asked.experiment,
        )  # fmt: skip
        _make(database, "exposed")
        _make(database, "unit")
        _make(database, "outcome", window=asked.window)
        _make(database, "before", before=before)
        return _collect(database, asked.counted, settings)


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


@contextmanager
def _readable(events: Path) -> Iterator[None]:
    """Raise `InputError` for a file that DuckDB cannot read, or a column of another type."""
    try:
        yield
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException) as e:
        raise InputError(f"events: {events} cannot be read: {str(e).splitlines()[0]}") from e


def _open(
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


def _make(database: duckdb.DuckDBPyConnection, table: str, **parameters: Any) -> None:
    statement = query(f"readout/{table}s")
    database.execute(f"CREATE TEMP TABLE {table} AS {statement}", parameters)


def _collect(
    database: duckdb.DuckDBPyConnection, counted: Counted, settings: ReadoutSettings
) -> Sums:
    measures = counted.measures
    database.execute(
        f"CREATE TEMP TABLE user_sum AS {wide.user_sums(measures)}",
        {"quantile": settings.revenue_quantile} if counted.units else {},
    )
    database.execute(f"CREATE TEMP VIEW user_day AS {wide.user_days(measures)}")
    now = [SHOWN, *(each.value for each in measures)]
    earlier = [PRE_SHOWN, *(each.before for each in measures)]
    rows = _groups(database, counted, "user_sum", Row, [*now, *earlier])
    ages = _groups(database, counted, "user_day", AgeRow, now)
    n_exposures, n_waiting = _one(database, query("readout/exposures"))
    (n_crossed,) = _one(database, "SELECT count(DISTINCT user_id) FROM unit WHERE crossed")
    cuts = tuple(_cuts(database, counted))
    return Sums(tuple(rows), tuple(ages), n_exposures, n_waiting, n_crossed, cuts)


def _cuts(database: duckdb.DuckDBPyConnection, counted: Counted) -> Iterator[Cut]:
    for each in counted.measures:
        if each.value in counted.units:
            cut, over = f"max(cap_{each.value})", f"count(*) FILTER (over_{each.value})"
            at, n_users = _one(database, f"SELECT {cut}, {over} FROM user_sum")  # noqa: S608
            if at is not None:
                yield Cut(each.name, at / counted.units[each.value], n_users)


def _one(database: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    (found,) = database.execute(sql).fetchall()
    return tuple(found)


def _groups(
    database: duckdb.DuckDBPyConnection,
    counted: Counted,
    table: str,
    row: type[R],
    names: Sequence[str],
) -> Iterator[R]:
    """Yield a row for each group of users of a table, by the row's other fields, in their order."""
    key = [field.name for field in fields(row) if field.name != "moments"]
    pairs = products(counted.measures, names)
    units = {name: unit for name, unit in counted.units.items() if name in names}
    for found in database.execute(wide.moments(table, key, names, pairs)).fetchall():
        n, *values = found[len(key) :]
        sums = dict(zip(names, values, strict=False))
        squares = dict(zip(pairs, values[len(names) :], strict=True))
        moments = Moments(n, sums, squares).scaled(units)
        yield row(**dict(zip(key, found, strict=False)), moments=moments)
