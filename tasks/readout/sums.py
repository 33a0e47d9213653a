"""Sums of an experiment's users, from the event log: one row a phase, variant, day and segment.

All rows of the log stay in DuckDB, within its memory limit; Python sees sums alone. Sums are of
whole numbers, so that they are equal in any order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from tasks.io.duckdb_session import query
from tasks.readout import wide
from tasks.readout.log import Asked, open_log
from tasks.readout.measures import PRE_SHOWN, SHOWN, Counted, products
from tasks.readout.settings import ReadoutSettings
from tasks.statistics.moments import Moments

R = TypeVar("R", "Row", "AgeRow")


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
    with open_log(events, asked, asked.since - before, folder, users) as database:
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
