"""The import: the proposal's tables written as the three Parquet files of a night."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from data.duckdb_session import Scratch
from data.importers.csv_import import CsvMap, stage, store
from data.importers.csv_table import Table, quoted
from data.importers.title_categories import categorise
from data.rows import RowCount
from data.schema import EVENTS, ITEMS, Imported, Report, silent
from nightshelf_ops.init.categories import FEW, MAX_SHARE
from nightshelf_ops.init.proposal import Proposal
from nightshelf_ops.init.sql_of import id_sql


@dataclass(frozen=True)
class Ready:
    """Files of a night, its `as_of`, and of an import its account of the rows."""

    events: Path
    items: Path
    users: Path | None
    as_of: date
    imported: Imported | None = None


def make_ready(held: Scratch, proposal: Proposal, report: Report = silent) -> Ready:
    """Import what a night cannot read as it is; the files are whole when the scratch is closed."""
    last = proposal.facts.last
    assert last, "there are events"
    if as_is := proposal.as_is:
        as_of = last.date() + timedelta(days=1)
        return Ready(as_is.events, as_is.items, as_is.users, as_of)
    db, catalogue = held.db, proposal.catalogue
    event, item, user = _map(proposal)
    items = None
    if catalogue:
        count = RowCount("items' rows", len(db.table("catalogue")))
        files = {file: list(catalogue.columns) for file in catalogue.table.raw.files}
        items = Table(db.table("catalogue"), files, count)
        item = {k: v for k, v in catalogue.columns.items() if k in ITEMS.names}
    staged = stage(db, proposal.log, CsvMap(event, item, user, proposal.keep), items, report)
    facts: dict[str, int] = {}
    if catalogue:
        facts = {"items of the log alone, not available": _add_items(db)}
    else:  # items of refused rows alone are none
        db.execute("DELETE FROM items WHERE item_id NOT IN (SELECT item_id FROM events)")
    if proposal.category_from == "title":
        facts |= _categorise(db)
    if proposal.users:
        _write_users(db, proposal)
    written = store(held, staged, report, facts)
    return Ready(written.events, written.items, written.users, written.as_of, written)


def _categorise(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Set categories by titles, but where they would leave lists short; return the items without.

    Items of unknown category are held to no cap.
    """
    categorise(db)
    n, largest = db.execute(
        "SELECT count(*), max(n) / sum(n) FROM (SELECT count(*) AS n FROM items GROUP BY category)"
    ).fetchall()[0]
    if n >= FEW and largest <= MAX_SHARE:
        return {}
    db.execute("UPDATE items SET category = 'unknown'")
    return {"items without a category: their titles share too few words": len(db.table("items"))}


def _map(proposal: Proposal) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Return the maps of events, items and users over the columns of `log`."""
    columns = next(iter(proposal.log.files.values()))
    event = {column: column for column in EVENTS.names if column in columns}
    item = {"category": "coalesce(category, 'unknown')" if "category" in columns else "'unknown'"}
    if proposal.category_from == "title":
        item["category"] = "'other'"
    if "title" in columns:
        item["title"] = "trim(title)"
    if "price" in columns:
        item["price"] = "median(TRY_CAST(price AS DOUBLE)) OVER (PARTITION BY item_id)"
    user = {"segment": "segment"} if "segment" in columns and not proposal.users else {}
    return event, item, user


def _add_items(db: duckdb.DuckDBPyConnection) -> int:
    """Add the log's items that the catalogue lacks, as not available: they teach, unseen."""
    columns = db.table("items").columns
    if "available" not in columns:
        db.execute("ALTER TABLE items ADD COLUMN available BOOLEAN DEFAULT true")
    added = db.execute(
        "INSERT INTO items BY NAME SELECT DISTINCT e.item_id, 'unknown' AS category, "
        "false AS available FROM events e ANTI JOIN items i ON e.item_id = i.item_id"
    )
    return int(added.fetchall()[0][0])


def _write_users(db: duckdb.DuckDBPyConnection, proposal: Proposal) -> None:
    users = proposal.users
    assert users
    key = users.form.of(id_sql(users.table.by_name[users.key]))
    db.execute(
        f"CREATE OR REPLACE TABLE users AS SELECT {key} AS user_id, "
        f"mode({quoted(users.segment)} ORDER BY {quoted(users.segment)}) AS segment "
        f"FROM {users.table.name} WHERE {key} IS NOT NULL GROUP BY 1"
    )
