"""Tables made of others: order lines joined to their orders, properties as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import duckdb

from data.importers.csv_table import FILE, LINE, quoted
from nightshelf_ops.init.clocks import find_clocks
from nightshelf_ops.init.columns import Column, Looked, look, names_by_score, share_of
from nightshelf_ops.init.findings import Doubts, Question
from nightshelf_ops.init.vocabulary import score, words_of

#: Roles of properties that become columns of the catalogue.
_PROPERTIES = ("category", "title", "price", "available", "image")
#: Share of the lines whose order must be there.
_JOINED = 0.5


@dataclass
class Derived:
    """Tables to go by, and facts: sentences on what was joined, title -> use of used tables."""

    tables: list[Looked] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)


def derive(db: duckdb.DuckDBPyConnection, given: Sequence[Looked], doubts: Doubts) -> Derived:
    """Return the tables with lines joined to their orders, and properties turned to columns."""
    derived = Derived()
    headers: dict[str, str] = {}
    tables = [_dated(db, table, derived, doubts) for table in given]
    for table in tables:
        if properties := _properties(table):
            derived.tables.append(_pivoted(db, table, *properties, derived))
        elif found := _order_of(db, table, tables):
            header, key, theirs = found
            derived.tables.append(_joined(db, table, header, key, theirs))
            derived.facts.append(f"{table.title}: joined to {header.title} by {key}")
            headers[header.name] = table.title
        else:
            derived.tables.append(table)
    for header in [each for each in derived.tables if each.name in headers]:
        derived.tables.remove(header)
        derived.used[header.title] = f"the orders of {headers[header.name]}"
    return derived


def end_of_log(tables: Sequence[Looked], doubts: Doubts) -> str:
    """Return the day on which a log without dates ended: that of its files, where none is given."""
    files = [file for table in tables for file in table.raw.files if file.exists()]
    written = max((file.stat().st_mtime for file in files), default=0.0)
    default = f"{datetime.fromtimestamp(written, UTC):%Y-%m-%d}"
    return doubts.ask(
        Question(
            "ended",
            "The log has no dates. On which day did it end?",
            {default: "when its files were last written"},
            default,
            rank=4,
            free=True,
        )
    )


def _dated(
    db: duckdb.DuckDBPyConnection, table: Looked, derived: Derived, doubts: Doubts
) -> Looked:
    """Add times to orders that have only the days since the order before."""
    days = [c.name for c in table.columns if words_of(c.name)[:2] == ["days", "since"]]
    numbers = [c.name for c in table.columns if words_of(c.name)[-1:] == ["number"] and c.is_whole]
    users = best(table, "user", ids=True)
    if not (table.headed and days and numbers and users) or find_clocks(db, table):
        return table
    hours = [c.name for c in table.columns if "hour" in words_of(c.name) and c.is_number]
    hour = f"TRY_CAST({quoted(hours[0])} AS DOUBLE)" if hours else "0"
    ended = end_of_log([table], doubts)
    made = f"{table.name}_dated"
    db.execute(
        f"CREATE OR REPLACE TABLE {made} AS SELECT *, "
        f"strftime(TIMESTAMP {_text(ended)} - to_seconds(86400 * (1 + coalesce("
        f"sum(TRY_CAST({quoted(days[0])} AS DOUBLE)) OVER (PARTITION BY {quoted(users[0])} "
        f"ORDER BY TRY_CAST({quoted(numbers[0])} AS DOUBLE) DESC "
        f"ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)) - 3600 * coalesce({hour}, 0)), "
        f"'%Y-%m-%d %H:%M:%S') AS ordered_at FROM {table.name}"
    )
    derived.facts.append(
        f"{table.title}: no dates; each user's last order is placed on the day before {ended}, the "
        f"earlier ones by {days[0]}"
    )
    return look(db, replace(table.raw, name=made))


def best(table: Looked, role: str, *, ids: bool = False) -> list[str]:
    """Return the columns whose names suggest a role, the likeliest first."""
    fit = [c for c in table.columns if not c.is_empty and (c.is_id or not ids)]
    return names_by_score(table, [(score(role, c.name), c) for c in fit])


def _properties(table: Looked) -> tuple[str, str, str] | None:
    """Return the columns of item, property and value where each row is one property."""
    items, names = best(table, "item", ids=True), best(table, "property")
    values = [c.name for c in table.columns if words_of(c.name)[-1:] == ["value"]]
    if not (table.headed and items and names and values) or best(table, "user", ids=True):
        return None
    return items[0], names[0], values[0]


def _pivoted(
    db: duckdb.DuckDBPyConnection,
    table: Looked,
    item: str,
    name: str,
    value: str,
    derived: Derived,
) -> Looked:
    """Make a table with a row an item: the newest value of each property that has a use."""
    sql = f"SELECT DISTINCT {quoted(name)} AS k FROM {table.name} WHERE k IS NOT NULL ORDER BY k"
    kinds = [kind for (kind,) in db.execute(sql).fetchall()]
    wanted = [k for k in kinds if any(score(role, k) for role in _PROPERTIES)]
    times = best(table, "time")
    age = f"(TRY_CAST({quoted(times[0])} AS DOUBLE), {quoted(times[0])}, " if times else "("
    newest = "".join(
        f", arg_max({quoted(value)}, {age}{FILE}, {LINE})) FILTER ({quoted(name)} = {_text(k)}) "
        f"AS {quoted(k)}"
        for k in wanted
    )
    made = f"{table.name}_wide"
    db.execute(
        f"CREATE OR REPLACE TABLE {made} AS SELECT min({FILE}) AS {FILE}, min({LINE}) AS {LINE}, "
        f"{quoted(item)}{newest} FROM {table.name} WHERE {quoted(item)} IS NOT NULL "
        f"GROUP BY {quoted(item)}"
    )
    derived.facts.append(
        f"{table.title}: one property a row; the newest {', '.join(wanted) or 'of none'} of each "
        f"item is used, {len(kinds) - len(wanted):,} other properties are not"
    )
    return look(db, replace(table.raw, name=made))


def _order_of(
    db: duckdb.DuckDBPyConnection, lines: Looked, tables: Sequence[Looked]
) -> tuple[Looked, str, str] | None:
    """Return the table of the orders that a table's rows are lines of, and the two key columns."""
    items = best(lines, "item", ids=True)
    if not (lines.headed and items) or best(lines, "user", ids=True):
        return None
    if lines.by_name[items[0]].is_unique:
        return None
    for orders in tables:
        if orders is lines or not best(orders, "user", ids=True):
            continue
        for theirs in [c for c in orders.columns if c.is_unique and c.is_id]:
            for ours in [c for c in lines.columns if _refers(c.name, theirs, orders)]:
                one, other = (lines.name, quoted(ours.name)), (orders.name, quoted(theirs.name))
                if ours.name != items[0] and share_of(db, one, other) >= _JOINED:
                    return orders, ours.name, theirs.name
    return None


def _refers(name: str, key: Column, table: Looked) -> bool:
    if name.lower() == key.name.lower():
        return True
    named_after = set(words_of(name)[:-1]) & set(words_of(table.raw.source.stem))
    return key.name.lower() == "id" and bool(named_after)


def _joined(
    db: duckdb.DuckDBPyConnection, lines: Looked, orders: Looked, key: str, theirs: str
) -> Looked:
    made = f"{lines.name}_joined"
    taken = {column.name.lower() for column in lines.columns}
    more = "".join(f", o.{quoted(c.name)}" for c in orders.columns if c.name.lower() not in taken)
    db.execute(
        f"CREATE OR REPLACE TABLE {made} AS SELECT l.*{more} FROM {lines.name} l "
        f"LEFT JOIN {orders.name} o ON l.{quoted(key)} = o.{quoted(theirs)}"
    )
    return look(db, replace(lines.raw, name=made))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
