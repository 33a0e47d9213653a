"""CSV logs by a map: every column of ours is an SQL expression over the CSV's columns.

Rows read = rows kept + rows refused, each reason with a count and a sample (`data/rows.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from data.duckdb_session import Scratch, scratch
from data.importers.csv_columns import first_line, fit
from data.importers.csv_dialect import Dialect
from data.importers.csv_rows import Mapped, lost_values, map_rows, refuse_rows, require_rows
from data.importers.csv_table import NULL_WORDS, Table, load, quoted
from data.schema import EVENTS, ITEMS, USERS, Imported, InputError, Report, silent

_NEEDED = {
    "event": ("user_id", "item_id", "event_type", "ts"),
    "item": ("item_id", "category"),
    "user": ("user_id", "segment"),
}
#: A last event before it comes from seconds that were read as milliseconds.
_UNIX_START = "1970-03-01"


@dataclass(frozen=True)
class CsvMap:
    """Map of a CSV log to events, items and users: column -> SQL expression.

    - `event`: user_id, item_id, event_type and ts are needed; value, event_id, arrived_at and
      session_id may be given.
    - `item`: category is needed; over the items' CSV where there is one (item_id is then needed
      too), else over the log. One row an item: each column's most frequent value, the smallest of
      equals.
    - `user`: segment, in the same way, over the log; no users file where it is empty.
    - `keep`: reason for the refusal of the rest -> SQL condition that kept rows meet, in order.
    """

    event: Mapping[str, str]
    item: Mapping[str, str]
    user: Mapping[str, str] = field(default_factory=dict)
    keep: Mapping[str, str] = field(default_factory=dict)


def import_csv(
    logs: Sequence[Path],
    out: Path,
    columns: CsvMap,
    items: Path | None = None,
    report: Report = silent,
    *,
    dialect: Dialect | None = None,
    null_words: Sequence[str] = NULL_WORDS,
) -> Imported:
    """Write the log (several files are read as one, each by its own header) to `out` by a map.

    `InputError` names the file, and the line or the column, of what cannot be imported.
    """
    dialect = dialect or Dialect()
    with scratch(out) as held:
        log = load(held.db, "log", logs, dialect, report=report)
        log.null_words = null_words
        items_table = None
        if items:
            items_table = load(held.db, "items_csv", [items], dialect, "items' rows", report)
            items_table.null_words = null_words
        staged = stage(held.db, log, columns, items_table, report)
        return store(held, staged, report)


@dataclass(frozen=True)
class Staged:
    """The tables `events`, `items` and, where mapped, `users`, and their accounts."""

    log: Table
    items: Table | None
    notes: list[str]


def stage(
    db: duckdb.DuckDBPyConnection,
    log: Table,
    columns: CsvMap,
    items: Table | None = None,
    report: Report = silent,
) -> Staged:
    """Make the tables of events, items and users from those that were read."""
    report("mapping the columns ...")
    _filter(db, log, columns.keep)
    event = _map(db, "event", log, columns.event, EVENTS)
    refuse_rows(event, _NEEDED["event"])
    require_rows(event)
    notes = lost_values(event, _NEEDED["event"]) + _early(event)
    names = [name for name in EVENTS.names if name in columns.event]
    event.relation.project(", ".join(names)).to_view("events")
    given = columns.item if items else {"item_id": columns.event["item_id"], **columns.item}
    item = _map(db, "item", items or log, given, ITEMS)
    if items:
        refuse_rows(item, ("item_id",))
    notes += _one_row_each(item, "item")
    if columns.user:
        user = {"user_id": columns.event["user_id"], "created_at": "NULL::TIMESTAMP"}
        notes += _one_row_each(_map(db, "user", log, user | dict(columns.user), USERS), "user")
    return Staged(log, items, notes)


def store(
    held: Scratch, staged: Staged, report: Report = silent, facts: Mapping[str, int] | None = None
) -> Imported:
    """Write the tables that `stage` made; `facts` are further figures for the counts."""
    report("sorting and writing ...")
    db = held.db
    counts = staged.log.count.counts() | (staged.items.count.counts() if staged.items else {})
    counts |= facts or {}
    paths: dict[str, Path] = {}
    known = {
        row[0] for row in db.sql("SELECT table_name FROM information_schema.tables").fetchall()
    }
    for name, schema, order in (
        ("events", EVENTS, "ts"),
        ("items", ITEMS, "item_id"),
        ("users", USERS, "user_id"),
    ):
        if name in known:
            path, rows = held.write(f"{name}.parquet", schema, db.table(name), order)
            paths[name], counts[f"{name} written"] = path, rows
    last = db.table("events").max("ts").fetchall()[0][0]
    rows_read = [table.count for table in (staged.log, staged.items) if table]
    return Imported(
        *(paths["events"], paths["items"], paths.get("users"), counts, last),
        rows=rows_read,
        notes=staged.notes,
    )


@contextmanager
def advice_for_csv_log() -> Iterator[None]:
    """Name the command of an option that an error mentions."""
    try:
        yield
    except InputError as error:
        if not any(option in str(error) for option in ("--event", "--quote", "--skip-bad-lines")):
            raise
        raise InputError(
            f"{error} (options of python -m data.importers.csv, which reads this file by a map)"
        ) from error


def _filter(db: duckdb.DuckDBPyConnection, log: Table, keep: Mapping[str, str]) -> None:
    """Keep the rows of the log that meet all conditions, and count the others as refused."""
    row = ", ".join(quoted(name) for name in log.relation.columns if not name.startswith("__"))
    for reason, condition in keep.items():
        sql = fit(db, log, "--where", condition).sql
        try:
            found = log.first(f"{sql} IS NOT TRUE", f"concat_ws(',', {row})")
        except duckdb.Error as error:
            raise InputError(f"--where {condition}: {first_line(error)}") from error
        if found:
            log.count.refuse(reason, *found)
        log.relation = log.relation.filter(sql)


def _map(
    db: duckdb.DuckDBPyConnection,
    option: str,
    source: Table,
    given: Mapping[str, str],
    schema: pa.Schema,
) -> Mapped:
    if missing := [name for name in _NEEDED[option] if name not in given]:
        raise InputError(f"--{option} {missing[0]}=... is needed: an expression over the CSV")
    return map_rows(db, f"{option}_rows", source, option, given, schema)


def _one_row_each(mapped: Mapped, option: str) -> list[str]:
    """Make the table of items or users: a row an id, with each column's most frequent value.

    Ties go to the smallest. Returns warnings of lost values.
    """
    key = _NEEDED[option][0]
    modes = [f"mode({c} ORDER BY {c}) AS {c}" for c in mapped.expressions if c != key]
    known = mapped.relation.filter(f"{key} IS NOT NULL")
    known.aggregate(", ".join([key, *modes])).to_table(f"{option}s")
    return lost_values(mapped, (key,))


def _early(event: Mapped) -> list[str]:
    last = event.relation.aggregate("max(ts)").fetchall()[0][0]
    if f"{last:%Y-%m-%d}" >= _UNIX_START:
        return []
    return [f"the last event is of {last:%Y-%m-%d}: are they seconds, read as milliseconds?"]
