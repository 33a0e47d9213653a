"""The events of all tables as one DuckDB table `log` of text, and the facts on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from data.importers.csv_table import FILE, LINE, Table, quoted
from data.importers.times import is_iso
from data.rows import RowCount
from nightshelf_ops.init.categories import item_columns
from nightshelf_ops.init.columns import known
from nightshelf_ops.init.derived import end_of_log
from nightshelf_ops.init.event_types import type_sql, value_sql
from nightshelf_ops.init.findings import Doubts
from nightshelf_ops.init.roles import EventRoles
from nightshelf_ops.init.sql_of import id_sql, number_sql

#: Days over which events without times are spread.
_SPREAD_DAYS = 28
#: Unparsed times of no year that counts; DuckDB's 9999 often stands for none.
NO_YEAR = "ts NOT LIKE '9999-%' OR ts IS NULL"
#: Columns of `log`; the last ones describe items and users.
COLUMNS = (
    *("user_id", "item_id", "event_type", "ts", "value", "session_id", "event_id"),
    *("title", "category", "price", "segment"),
)


@dataclass(frozen=True)
class LogFacts:
    """Facts on the rows that have a user, an item, a type and a time.

    `n_again` of the `n_bought` pairs of a user and an item were bought on a further day, after
    `days_between` days at the median. `n_repeated` rows repeat another: the same event id, or
    without one the same user, item, type and second.
    """

    n_rows: int
    n_events: int
    n_users: int
    n_items: int
    first: datetime | None
    last: datetime | None
    types: Mapping[str, int] = field(default_factory=dict)
    n_repeated: int = 0
    n_bought: int = 0
    n_again: int = 0
    days_between: float | None = None

    @property
    def days(self) -> int:
        """Days from the first event to the last."""
        return (self.last - self.first).days if self.first and self.last else 0


def build_log(db: duckdb.DuckDBPyConnection, events: Sequence[EventRoles], doubts: Doubts) -> Table:
    """Make the table `log`, and return it with the account of the rows read so far."""
    parts, files = [], list[Path]()
    for roles in events:
        parts.append(_select(db, roles, len(files), doubts))
        files += [_distinct(file, files) for file in roles.table.raw.files]
    db.execute(f"CREATE OR REPLACE TABLE log AS {' UNION ALL '.join(parts)}")
    used = [c for c in COLUMNS if db.execute(f"SELECT count({c}) FROM log").fetchall()[0][0]]
    needed = [c for c in COLUMNS if c in used or c in COLUMNS[:4]]
    count = RowCount("rows")
    for roles in events:
        read = roles.table.raw.count
        count.read += read.read
        count.blank_lines += read.blank_lines
        for reason, refusal in read.refused.items():
            count.refuse(reason, refusal.count, refusal.sample)
    return Table(db.table("log"), dict.fromkeys(files, needed), count)


def _distinct(file: Path, files: Sequence[Path]) -> Path:
    """Return a file's path; of a database's second table one that names it once more."""
    while file in files:
        file = file.parent / "." / f"{file.name} "
    return file


def _select(
    db: duckdb.DuckDBPyConnection, roles: EventRoles, first_file: int, doubts: Doubts
) -> str:
    table, has = roles.table, roles.table.by_name
    users, items = has[roles.user], has[roles.item]
    of_item = item_columns(db, roles, doubts.answers)
    for role, column in of_item.items():
        doubts.add(role, column, "likely", f"of {table.title}")
    if roles.price and roles.quantity and not (roles.rating or roles.amount):
        doubts.add("value", f"{roles.quantity} * {roles.price}", "likely", "revenue")
    elif not roles.rating and (column := roles.amount or roles.price):
        doubts.add("value", column, "likely", "revenue")
    columns = {
        "user_id": id_sql(users),
        "item_id": id_sql(items),
        "event_type": type_sql(roles, doubts),
        "ts": roles.clock.sql(doubts.answers.get("zone", "UTC"))
        if roles.clock
        else _spread(roles, doubts),
        "value": value_sql(roles),
        "session_id": quoted(roles.session) if roles.session else "",
        "event_id": _line_id(roles),
        "price": number_sql(has[roles.price]) if roles.price else "",
        **{role: quoted(name) for role, name in of_item.items()},
    }
    selected = ", ".join(f"CAST({columns.get(c) or 'NULL'} AS VARCHAR) AS {c}" for c in COLUMNS)
    return f"SELECT {FILE} + {first_file} AS {FILE}, {LINE}, {selected} FROM {table.name}"


def _line_id(roles: EventRoles) -> str:
    """Return SQL that tells the lines of an order apart: repeated to the letter they are one."""
    figures = [column for column in (roles.quantity, roles.price) if column]
    if not roles.session or not figures or not roles.clock:
        return ""
    parts = [roles.session, roles.item, *figures, roles.clock.column]
    return f"concat_ws(':', {', '.join(map(quoted, parts))})"


def _spread(roles: EventRoles, doubts: Doubts) -> str:
    """Return SQL for made-up times, by a hash of user and item, over the last days of the log."""
    ended = end_of_log([roles.table], doubts)
    doubts.add(
        *("time", "none", "unsure"),
        f"no column of times: the events are spread by chance over the {_SPREAD_DAYS} days before "
        f"{ended}, so that recency means nothing",
    )
    pair = f"concat_ws(chr(31), {quoted(roles.user)}, {quoted(roles.item)})"
    number = f"CAST('0x' || substr(md5({pair}), 1, 8) AS BIGINT)"
    seconds = f"1 + {number} % {_SPREAD_DAYS * 86_400}"
    return f"strftime(TIMESTAMP '{ended}' - to_seconds({seconds}), '%Y-%m-%d %H:%M:%S')"


def facts_of(
    db: duckdb.DuckDBPyConnection, keep: Iterable[str], purchases: Sequence[str] = ()
) -> LogFacts:
    """Return the facts on the rows of `log` that meet conditions; `purchases` are types."""
    needed = [f"{known(c)} IS NOT NULL" for c in ("user_id", "item_id", "event_type")]
    good = " AND ".join(f"({condition})" for condition in (*needed, *keep))
    db.execute(
        "CREATE OR REPLACE TEMP TABLE good AS SELECT user_id, item_id, event_type, event_id, "
        f"CASE WHEN {is_iso('ts')} THEN TRY_CAST(ts AS TIMESTAMPTZ) END AS t FROM log "
        f"WHERE {good}"
    )
    db.execute(
        "DELETE FROM good WHERE t IS NULL OR t > now() OR t < TIMESTAMPTZ '1970-01-01 00:00:00+00'"
    )
    n_events, n_users, n_items, first, last = db.execute(
        "SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id), "
        "timezone('UTC', min(t)), timezone('UTC', max(t)) FROM good"
    ).fetchall()[0]
    types = db.execute(
        "SELECT event_type, count(*) FROM good GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    (n_distinct,) = db.execute(
        "SELECT count(*) FROM (SELECT DISTINCT coalesce(event_id, "
        "concat_ws(chr(31), user_id, item_id, event_type, date_trunc('second', t))) FROM good)"
    ).fetchall()[0]
    kinds = dict(types)
    n_rows = len(db.table("log"))
    return LogFacts(
        *(n_rows, n_events, n_users, n_items, first, last, kinds),
        n_events - n_distinct,
        *_bought_again(db, purchases),
    )


def _bought_again(
    db: duckdb.DuckDBPyConnection, purchases: Sequence[str]
) -> tuple[int, int, float | None]:
    """Return pairs of a user and an item bought, those bought on further days, days between."""
    found: tuple[int, int, float | None] = db.execute(
        "SELECT count(*), count_if(n > 1), median(CASE WHEN n > 1 THEN days / (n - 1) END) FROM ("
        "SELECT count(DISTINCT CAST(t AS DATE)) AS n, date_diff('day', min(t), max(t)) AS days "
        "FROM good WHERE list_contains($purchases, event_type) GROUP BY user_id, item_id)",
        {"purchases": list(purchases)},
    ).fetchall()[0]
    return found
