"""Any CSV log by a map: every column of ours is a DuckDB SQL expression over the CSV's columns.

Times without an offset are taken as UTC; Unix seconds go through ``to_timestamp(...)``.

Nothing is lost in silence: each filter's rows are counted, and a value that does not convert to
its column's type becomes null and is counted (a night sets such rows aside, with the reason).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import duckdb
import pyarrow as pa
import typer

from data.console import plain_errors, show, telling
from data.csv_columns import bind, map_columns, one_row_each, read, unconverted
from data.parquet import EVENTS, ITEMS, USERS, Imported, InputError, Tell, silent, write_relation
from data.scratch import scratch

_NEEDED = {
    "event": ("user_id", "item_id", "event_type", "ts"),
    "item": ("item_id", "category"),
    "user": ("user_id", "segment"),
}


@dataclass(frozen=True)
class CsvMap:
    """How a CSV log becomes events, items and users: column -> SQL expression.

    - `event`: user_id, item_id, event_type and ts are needed; value, event_id, arrived_at and
      session_id may be given.
    - `item`: category is needed; over the items' CSV where there is one (item_id is then needed
      too), else over the log. One row an item: each column's most frequent value, the smallest of
      equals.
    - `user`: segment, in the same way, over the log; no users file where it is empty.
    - `keep`: name of those dropped -> SQL condition that the rest meet, in order, over the log.
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
    tell: Tell = silent,
) -> Imported:
    """Write the log (`.csv` or `.csv.gz`; several are read as one) to `out` by a map.

    `InputError` names the column whose expression does not fit, and what the file has.
    """
    with scratch(out) as db:
        counts = stage(db, logs, columns, items, tell)
        return store(db, out, counts, tell)


def stage(
    db: duckdb.DuckDBPyConnection,
    logs: Sequence[Path],
    columns: CsvMap,
    items: Path | None = None,
    tell: Tell = silent,
) -> dict[str, int]:
    """Make the tables `events`, `items` and, where mapped, `users`; return the counts so far."""
    tell(f"reading {', '.join(map(str, logs))} ...")
    log = read(db, "log", logs)
    counts = {"rows read": len(log)}
    for name, condition in columns.keep.items():
        bind(log, "filter", name, condition)
        kept = log.filter(condition)
        counts[f"  dropped: {name}"] = len(log) - len(kept)
        log = kept
    tell("mapping the columns ...")
    event = map_columns(log, "event", columns.event, EVENTS, _NEEDED["event"])
    event.typed.to_table("events")
    counts |= unconverted(event)
    item, source = {"item_id": columns.event["item_id"], **columns.item}, log
    if items:
        item, source = dict(columns.item), read(db, "items_csv", [items])
        counts["items' rows read"] = len(source)
    counts |= _distinct(source, "item", item, ITEMS)
    if columns.user:
        user = {"user_id": columns.event["user_id"], "created_at": "NULL", **columns.user}
        counts |= _distinct(log, "user", user, USERS)
    return counts


def _distinct(
    source: duckdb.DuckDBPyRelation, option: str, expressions: Mapping[str, str], schema: pa.Schema
) -> dict[str, int]:
    """Make the table of an option, `item` -> `items`: one row an id; return what was lost."""
    mapped = map_columns(source, option, expressions, schema, _NEEDED[option])
    one_row_each(mapped, key=_NEEDED[option][0]).to_table(f"{option}s")
    return unconverted(mapped)


def store(
    db: duckdb.DuckDBPyConnection, out: Path, counts: dict[str, int], tell: Tell = silent
) -> Imported:
    """Write the tables that `stage` made; `InputError` where no event has a time."""
    tell("sorting and writing ...")
    last = db.table("events").max("ts").fetchall()[0][0]
    if last is None:
        raise InputError(
            "no row has a time: look at the filters and at the expression of ts "
            "(Unix seconds go through to_timestamp(...))"
        )
    made = dict(counts)
    paths: dict[str, Path] = {}
    known = {row[0] for row in db.sql("SELECT table_name FROM duckdb_tables()").fetchall()}
    for name, schema, order in (
        ("events", EVENTS, "ts"),
        ("items", ITEMS, "item_id"),
        ("users", USERS, "user_id"),
    ):
        if name in known:
            paths[name] = out / f"{name}.parquet"
            made[f"{name} written"] = write_relation(paths[name], schema, db.table(name), order)
    return Imported(paths["events"], paths["items"], paths.get("users"), made, last)


def main(
    csv: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Argument(file_okay=False)],
    *,
    event: Annotated[list[str], typer.Option(metavar="COLUMN=SQL", help="An event's column.")],
    item: Annotated[list[str], typer.Option(metavar="COLUMN=SQL", help="An item's column.")],
    user: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=SQL", help="A user's column.")
    ] = None,
    items: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The items' own CSV.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="SQL", help="Keep rows that meet this; repeatable.")
    ] = None,
) -> None:
    """Import any CSV log (.csv or .csv.gz, several as one) into OUT: one SQL expression a column.

    For example:

    python -m data.csv_log orders.csv .nightshelf/orders --event user_id=Customer
    --event item_id=SKU --event ts=OrderedAt --event "event_type='purchase'"
    --event "value=Quantity * UnitPrice" --item category=Department --item title=Name
    --user segment=Country --where "Quantity > 0"
    """
    columns = CsvMap(
        event=_pairs("event", event),
        item=_pairs("item", item),
        user=_pairs("user", user or []),
        keep={f"fails {condition}": condition for condition in where or []},
    )
    with telling("reading ...") as tell:
        written = import_csv(csv, out, columns, items, tell)
    show(written, "imported")


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Split `column=expression`, at the first `=`."""
    pairs = {name.strip(): sql for name, equals, sql in (g.partition("=") for g in given) if equals}
    if len(pairs) < len(given):
        raise InputError(f"--{option}: expected COLUMN=SQL, each column once; got {list(given)}")
    return pairs


if __name__ == "__main__":
    typer.run(plain_errors(main))
