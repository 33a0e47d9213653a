"""The category of items: a column, a name that its id stands for, a level of a path, a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from data.importers.csv_table import quoted
from nightshelf_ops.init.columns import Column, Looked, determines, share_of
from nightshelf_ops.init.derived import best
from nightshelf_ops.init.findings import Doubts, Question, Sure
from nightshelf_ops.init.roles import EventRoles
from nightshelf_ops.init.vocabulary import score, words_of

#: Words of a category's name, the likeliest first.
_LIKELY = (
    *("category", "categories", "genre", "genres", "kategorie", "cat", "department", "dept"),
    *("abteilung", "subcategory", "family", "group", "class", "section", "topic", "aisle"),
    *("collection", "kind", "type", "brand", "store"),
)
_NONE = "('', 'unknown', '(no genres listed)', 'none')"
#: Categories are of use from so many on, the largest with at most this share.
FEW, MAX_SHARE = 5, 0.6
_LEVELS = 5


@dataclass(frozen=True)
class Category:
    """SQL of the category over a table of items, empty for none, with the join that it needs.

    `plain`: the column is taken as it is. `tags_sql` gives all of a list, parted by chr(31).
    """

    column: str = ""
    sql: str = "NULL"
    why: str = ""
    join: str = ""
    tags_sql: str = ""
    plain: bool = False


def choose_category(
    db: duckdb.DuckDBPyConnection,
    table: Looked,
    key: Column,
    others: Sequence[Looked],
    doubts: Doubts,
) -> Category:
    """Return the category of a table of items; a doubt where several columns can be it."""
    fit = _candidates(db, table, key)
    if not fit:
        return Category()
    default = fit[0].name
    name = doubts.answers.get("category", default)
    if len(fit) > 1:
        options = {c.name: f"{c.n_distinct:,} of them, as {', '.join(c.samples[:2])}" for c in fit}
        text = "Which column is the category, of which a page of 10 has at most three items?"
        name = doubts.ask(Question("category", text, options, default, rank=5))
    column = table.by_name.get(name, fit[0])
    category = _as_category(db, table, column, others)
    sure: Sure = "likely" if len(fit) > 1 else "certain"
    named = name if table.headed else f"{name} of {table.title}"
    doubts.add("category", named, sure, category.why)
    return category


def _candidates(db: duckdb.DuckDBPyConnection, table: Looked, key: Column) -> list[Column]:
    rest = [c for c in table.columns if c is not key and not c.is_empty]
    if not table.headed:
        lists = [c for c in rest if _separator(db, table, c)]
        return lists or [c for c in rest if not c.is_number and 3 * c.n_distinct <= c.n_values]
    named = [
        c
        for c in rest
        if (score("category", c.name) or score("type", c.name) or score("tags", c.name))
        and (c.n_distinct <= max(0.5 * c.n_values, 50) or _separator(db, table, c))
    ]

    def likely(column: Column) -> int:
        words = set(words_of(column.name)) | {column.name.lower()}
        return next((n for n, word in enumerate(_LIKELY) if word in words), len(_LIKELY))

    return sorted(named, key=likely)


def _separator(db: duckdb.DuckDBPyConnection, table: Looked, column: Column) -> str:
    """Return the separator of a column of lists or paths, `json` for an array, empty for none."""
    text = quoted(column.name)
    json, bar, path = db.execute(
        f"SELECT avg(CASE WHEN starts_with({text}, '[') THEN 1.0 ELSE 0.0 END), "
        f"avg(CASE WHEN contains({text}, '|') THEN 1.0 ELSE 0.0 END), "
        f"avg(CASE WHEN contains({text}, ' > ') THEN 1.0 ELSE 0.0 END) "
        f"FROM {table.name} WHERE {text} IS NOT NULL"
    ).fetchall()[0]
    if (json or 0) > 0.9:
        return "json"
    return "|" if (bar or 0) > 0.2 else " > " if (path or 0) > 0.2 else ""


def _as_category(
    db: duckdb.DuckDBPyConnection, table: Looked, column: Column, others: Sequence[Looked]
) -> Category:
    text = quoted(column.name)
    separator = _separator(db, table, column)
    if not separator:
        if found := _named_elsewhere(db, table, column, others):
            return found
        return Category(column.name, f"{table.name}.{text}", "by its name", plain=True)
    parts = f"string_split({text}, '{separator}')"
    if separator == "json":
        nested = f"starts_with({text}, '[[')"
        parts = (
            f"CASE WHEN {nested} THEN TRY(from_json({text}, '[[\"VARCHAR\"]]'))[1] "
            f"ELSE TRY(from_json({text}, '[\"VARCHAR\"]')) END"
        )
    known = f"list_filter({parts}, lambda part: lower(trim(part)) NOT IN {_NONE})"
    tags = f"array_to_string({known}, chr(31))"
    level = 1 if separator == "|" else _level(db, table, known)
    why = "the first of a list" if separator == "|" else f"level {level} of a path"
    sql = f"coalesce(({known})[{level}], ({known})[-1])"
    return Category(column.name, sql, why, tags_sql=tags)


def _level(db: duckdb.DuckDBPyConnection, table: Looked, parts: str) -> int:
    """Return the first level of paths with several categories, none of them with most items."""
    for level in range(1, _LEVELS + 1):
        n, largest = db.execute(
            f"SELECT count(*), max(n) / sum(n) FROM (SELECT count(*) AS n FROM {table.name} "
            f"WHERE ({parts})[{level}] IS NOT NULL GROUP BY ({parts})[{level}])"
        ).fetchall()[0]
        if n >= FEW and largest <= MAX_SHARE:
            return level
    return 1


def _named_elsewhere(
    db: duckdb.DuckDBPyConnection, table: Looked, column: Column, others: Sequence[Looked]
) -> Category | None:
    """Return the names that a column of ids stands for in another table."""
    for other in others:
        titles = [c for c in other.columns if score("title", c.name) or score("category", c.name)]
        for key in [c for c in other.columns if c.is_unique and c.is_id and not c.is_decimal]:
            names = [c for c in titles if c is not key and not c.is_number]
            same = key.name.lower() == column.name.lower() or key.name.lower() == "id"
            one, theirs = (table.name, quoted(column.name)), (other.name, quoted(key.name))
            if names and same and share_of(db, one, theirs) >= 0.5:
                join = (
                    f" LEFT JOIN (SELECT {quoted(key.name)} AS __key, {quoted(names[0].name)} AS "
                    f"__named FROM {other.name}) ON {table.name}.{quoted(column.name)} = __key"
                )
                why = f"{names[0].name} of {other.title}"
                return Category(column.name, "__named", why, join)
    return None


def item_columns(
    db: duckdb.DuckDBPyConnection, roles: EventRoles, answers: Mapping[str, str]
) -> dict[str, str]:
    """Return title, category and segment -> the column of a table of events that holds it."""
    table = roles.table
    asked = {"category": answers["category"]} if answers.get("category") in table.by_name else {}
    if table.headed:
        taken = {roles.user, roles.item, roles.kind, roles.session}
        wanted = ("title", "category", "segment")
        by_role = {role: [c for c in best(table, role) if c not in taken] for role in wanted}
        return {role: columns[0] for role, columns in by_role.items() if columns} | asked
    n_items = table.by_name[roles.item].n_distinct
    of_item = [
        c
        for c in table.columns
        if c.spaced > 0.3 and c.name not in (roles.user, roles.item)
        if determines(db, table.name, roles.item, c.name) >= 0.9
    ]
    of_item.sort(key=lambda c: -c.n_distinct)
    found = {"title": of_item[0].name} if of_item else {}
    grouped = [c for c in of_item[1:] if c.n_distinct * 3 <= n_items]
    return found | ({"category": grouped[0].name} if grouped else {}) | asked
