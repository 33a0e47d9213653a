"""The catalogue: its table, and the columns that are title, category, price and the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from data.importers.csv_table import FILE, LINE, quoted
from nightshelf_ops.init.categories import Category, choose_category
from nightshelf_ops.init.columns import Column, Looked, share_of
from nightshelf_ops.init.derived import best
from nightshelf_ops.init.findings import Doubts
from nightshelf_ops.init.id_forms import IdForm, common_form
from nightshelf_ops.init.sql_of import id_sql, number_sql
from nightshelf_ops.init.vocabulary import score

#: Share of the log's items that a table must have to be their catalogue.
_MANY = 0.2
_NEARLY_UNIQUE = 0.98


@dataclass(frozen=True)
class Catalogue:
    """A table of items; `columns` are column of ours -> SQL over the DuckDB table `catalogue`.

    `source` has column of ours -> the table's own name, for columns that are taken as they are.
    `form` is that of the ids in it and in the log.
    """

    table: Looked
    key: str
    form: IdForm
    category: Category
    columns: dict[str, str] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)


def find_catalogue(
    db: duckdb.DuckDBPyConnection, tables: Sequence[Looked], doubts: Doubts
) -> Catalogue | None:
    """Return the best table of the log's items among those that hold no events, if there is one."""
    rated = []
    for place, table in enumerate(tables):
        for column in _keys(table):
            one, other = ("log", "item_id"), (table.name, id_sql(column))
            form = common_form(db, one, other)
            if form.after >= _MANY or form.merges:
                useful = min(_useful(table, column), 6)
                rated.append((useful, form.after, -place, table, column, form))
    if not rated:
        return None
    *_, table, key, form = max(rated, key=lambda each: each[:3])
    others = [other for other in tables if other is not table]
    category = choose_category(db, table, key, others, doubts)
    return _build(db, table, key, form, category)


def _keys(table: Looked) -> list[Column]:
    """Return the columns that can be a catalogue's key."""
    named = set(best(table, "item", ids=True))
    fit = [
        c
        for c in table.columns
        if c.is_id or c.is_unique
        if c.n_values and c.n_distinct >= _NEARLY_UNIQUE * c.n_values
    ]
    return [c for c in fit if c.name in named or not table.headed] or fit[:1]


def _useful(table: Looked, key: Column) -> int:
    """Count the columns that a catalogue has a use for."""
    rest = [c for c in table.columns if c is not key and not c.is_empty]
    if not table.headed:
        return sum(c.spaced > 0.3 or not c.is_number for c in rest)
    roles = ("title", "category", "tags", "price", "available", "image")
    return sum(any(score(role, c.name) for role in roles) for c in rest)


def _build(
    db: duckdb.DuckDBPyConnection, table: Looked, key: Column, form: IdForm, category: Category
) -> Catalogue:
    """Make the table `catalogue` of text columns."""
    has, source = table.by_name, {"item_id": key.name}
    columns = {"item_id": form.of(id_sql(key)), "category": category.sql}
    if category.column and category.plain:
        source["category"] = category.column
    if title := _title(table, key):
        columns["title"], source["title"] = quoted(title), title
    for ours, role in (("price", "price"), ("available", "available"), ("image_url", "image")):
        name = next((c for c in best(table, role) if c not in source.values()), "")
        if not name or (ours == "image_url" and has[name].samples[0][:1] in "[{"):
            continue
        source[ours] = name
        columns[ours] = number_sql(has[name]) if ours == "price" else quoted(name)
    if category.tags_sql:
        columns["tags"] = category.tags_sql
    selected = ", ".join(f"CAST({sql} AS VARCHAR) AS {ours}" for ours, sql in columns.items())
    db.execute(
        f"CREATE OR REPLACE TABLE catalogue AS SELECT {FILE}, {LINE}, {selected} "
        f"FROM {table.name}{category.join}"
    )
    mapped = {ours: ours for ours in columns}
    if category.tags_sql:
        mapped["tags"] = "string_split(tags, chr(31))"
    mapped["category"] = "coalesce(category, 'unknown')"
    return Catalogue(table, key.name, form, category, mapped, source)


def _title(table: Looked, key: Column) -> str:
    if table.headed:
        return next((c for c in best(table, "title") if c != key.name), "")
    spaced = [c for c in table.columns if c is not key and c.spaced > 0.3]
    return max(spaced, key=lambda c: c.n_distinct).name if spaced else ""


@dataclass(frozen=True)
class Users:
    """A table of users with a segment."""

    table: Looked
    key: str
    segment: str
    form: IdForm


def find_users(
    db: duckdb.DuckDBPyConnection, tables: Sequence[Looked], catalogue: Catalogue | None
) -> Users | None:
    """Return the table with a row a user and a column of segments, if there is one."""
    for table in tables:
        if catalogue and table is catalogue.table:
            continue
        named = [table.by_name[c] for c in best(table, "user", ids=True)]
        keys = named or [c for c in table.columns[:1] if c.is_id and not table.headed]
        keys += [
            c
            for c in table.columns
            if c.name.lower() == "id" and score("user", table.raw.source.stem)
        ]
        for key in keys:
            segments = [
                c for c in best(table, "segment") if 2 <= table.by_name[c].n_distinct <= 500
            ]
            if not key.is_unique or not segments:
                continue
            if share_of(db, ("log", "user_id"), (table.name, id_sql(key))) >= 0.0:
                form = common_form(db, ("log", "user_id"), (table.name, id_sql(key)))
                if form.after >= _MANY:
                    return Users(table, key.name, segments[0], form)
    return None
