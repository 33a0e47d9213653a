"""The tables of events, and the roles of their columns: by name, or by values without a header."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from data.importers.csv_table import quoted
from nightshelf_ops.init.clocks import Clock, find_clocks, unread_time
from nightshelf_ops.init.columns import Column, Looked, determines, known, share_of
from nightshelf_ops.init.derived import best
from nightshelf_ops.init.findings import Doubts, Question, Sure
from nightshelf_ops.init.vocabulary import meaning_of, score

#: Most types of events in one log.
_MAX_TYPES = 60
_MOST = 0.95


@dataclass(frozen=True)
class EventRoles:
    """Columns of a table of events, by their role; empty where there is none."""

    table: Looked
    user: str
    item: str
    clock: Clock | None
    kind: str = ""
    rating: str = ""
    amount: str = ""
    quantity: str = ""
    price: str = ""
    session: str = ""

    @property
    def meaning(self) -> str:
        """The type of event that the name of the file or table tells, if any."""
        return meaning_of(self.table.raw.source.stem)


def find_events(
    db: duckdb.DuckDBPyConnection, tables: Sequence[Looked], doubts: Doubts
) -> tuple[list[EventRoles], dict[str, str]]:
    """Return the tables of events, the longest first, and title -> reason for those left out."""
    dates = doubts.answers.get("dates", "")
    by_name = [_by_name(db, t, dates, doubts) for t in tables if t.headed and t.n_rows]
    found = [each for each in by_name if each]
    bare = [t for t in tables if t.n_rows and not t.headed]
    if not found and not bare:
        bare = [t for t in tables if t.n_rows]
    main: EventRoles | None = max(found, key=lambda each: each.table.n_rows, default=None)
    for table in sorted(bare, key=lambda each: -each.n_rows):
        others = [each for each in tables if each is not table]
        if roles := _by_values(db, table, others, main, dates, doubts):
            found.append(roles)
            main = main or roles
    found.sort(key=lambda each: -each.table.n_rows)
    left_out = {}
    for each in found[1:]:
        if not (each.kind or each.meaning) and not _same_form(each, found[0]):
            why = "it has users and items, but its name tells no type of event"
            left_out[each.table.title] = why
        elif each.clock is None and found[0].clock:
            left_out[each.table.title] = "it has users and items, but no times"
    kept = [each for each in found if each.table.title not in left_out]
    for each in kept[:1]:
        _describe(each, doubts)
    return kept, left_out


def _same_form(one: EventRoles, other: EventRoles) -> bool:
    """Tell whether two tables are parts of one log: the same columns, no name against it."""
    columns = [[c.name for c in each.table.columns] for each in (one, other)]
    return not one.meaning and columns[0] == columns[1]


def _by_name(
    db: duckdb.DuckDBPyConnection, table: Looked, dates: str, doubts: Doubts
) -> EventRoles | None:
    has, answers = table.by_name, doubts.answers
    users = [c for c in (answers.get("user", ""),) if c in has] or best(table, "user", ids=True)
    if not users:
        users = [c for c in best(table, "session", ids=True) if not has[c].is_unique]
    items = [c for c in best(table, "item", ids=True) if c not in users[:1]]
    if answers.get("item") in has:
        items = [answers["item"]]
    clocks = find_clocks(db, table, dates)
    if not users or not items:
        return None
    timed = bool(clocks or unread_time(table))
    if has[items[0]].is_unique and not timed and table.n_rows > 1:
        return None
    taken = {users[0], items[0]}
    if len(items) > 1 and score("item", items[0]) == score("item", items[1]):
        taken.add(items[1])
    clock = next((c for c in clocks if c.column not in taken), None)
    roles = EventRoles(table, users[0], items[0], clock)
    taken |= {clock.column} if clock else set()
    return _more_by_name(roles, taken)


def _more_by_name(roles: EventRoles, taken: set[str]) -> EventRoles:
    table = roles.table
    has = table.by_name

    def first(role: str, *, number: bool = False) -> str:
        fit = (c for c in best(table, role) if c not in taken)
        return next((c for c in fit if has[c].is_number or not number), "")

    kinds = [c for c in best(table, "type") if c not in taken and has[c].n_distinct <= _MAX_TYPES]
    return replace(
        roles,
        kind=kinds[0] if kinds else "",
        rating=first("rating", number=True),
        amount=first("amount", number=True),
        quantity=first("quantity", number=True),
        price=first("price", number=True),
        session=next((c for c in best(table, "session", ids=True) if c not in taken), ""),
    )


def _by_values(
    db: duckdb.DuckDBPyConnection,
    table: Looked,
    others: Sequence[Looked],
    main: EventRoles | None,
    dates: str,
    doubts: Doubts,
) -> EventRoles | None:
    """Return the roles of columns without names: by their values, their order, other tables."""
    clocks = find_clocks(db, table, dates)
    clock = clocks[0] if clocks else None
    ids = [c for c in table.columns if c.is_id and not c.is_decimal]
    ids = [c for c in ids if not (clock and c.name == clock.column)]
    kind = next((c.name for c in ids if _holds_types(db, table, c)), "")
    ids = [c for c in ids if c.name != kind and c.n_distinct > 1 and not _is_scale(c)]
    if len(ids) < 2 or (not clock and ids[0].is_unique):
        return None
    user, item, why = ids[0].name, ids[1].name, "the second column of ids"
    if main:
        like_main = [
            share_of(db, (table.name, quoted(c.name)), (main.table.name, quoted(main.item)))
            for c in ids[1:]
        ]
        item = ids[1 + like_main.index(max(like_main))].name
    elif keyed := [c for c in ids if _is_key_elsewhere(db, table, c, others)]:
        item, why = keyed[-1].name, "its values are the keys of another file"
        user = next(c.name for c in ids if c.name != item)
    else:
        item = _finest(db, table, ids[1:])
        if item != ids[1].name:
            why = f"each value goes with one {ids[1].name}, and not the other way"
        options = {c.name: f"as {', '.join(c.samples[:2])}" for c in ids}
        text = f"{table.title} names no columns. Which is the item?"
        item = doubts.ask(Question("item", text, options, item, rank=0))
        user = next(c.name for c in ids if c.name != item)
    user = doubts.answers.get("user", user)
    if not main:
        doubts.add("item", item, "likely", why)
    used = {user, item, kind, clock.column if clock else ""}
    ratings = [c.name for c in table.columns if c.name not in used and _is_scale(c)]
    is_rating = bool(ratings) and meaning_of(table.raw.source.stem) in ("", "rating")
    return EventRoles(table, user, item, clock, kind=kind, rating=ratings[0] if is_rating else "")


def _is_scale(column: Column) -> bool:
    """Tell whether a column's values can be ratings: few numbers from 0 to 10."""
    if not column.is_number or column.low is None or column.high is None:
        return False
    return column.low >= 0 and column.high <= 10 and 1 < column.n_distinct <= 21


def _holds_types(db: duckdb.DuckDBPyConnection, table: Looked, column: Column) -> bool:
    if column.n_distinct > 20 or column.is_number:
        return False
    sql = f"SELECT DISTINCT {known(quoted(column.name))} FROM {table.name}"
    kinds = [kind for (kind,) in db.execute(sql).fetchall() if kind]
    return sum(bool(meaning_of(kind)) for kind in kinds) * 2 > len(kinds)


def _is_key_elsewhere(
    db: duckdb.DuckDBPyConnection, table: Looked, column: Column, others: Sequence[Looked]
) -> bool:
    return any(
        share_of(db, (table.name, quoted(column.name)), (other.name, quoted(key.name))) >= 0.5
        for other in others
        for key in other.columns[:1]
        if key.is_unique and len(other.columns) > 1
    )


def _finest(db: duckdb.DuckDBPyConnection, table: Looked, ids: Sequence[Column]) -> str:
    """Return the first column of ids, or one of its kind by which its value follows."""
    item = ids[0]
    for other in ids[1:]:
        alike = abs(other.mean_chars - item.mean_chars) <= 0.2 * item.mean_chars
        if alike and other.spaced < 0.3 and other.n_values > 0.5 * table.n_rows:
            finer = determines(db, table.name, other.name, item.name) >= _MOST
            if finer and determines(db, table.name, item.name, other.name) < _MOST:
                item = other
    return item.name


def _describe(roles: EventRoles, doubts: Doubts) -> None:
    """Add the findings on the main table's columns."""
    table, named = roles.table, roles.table.headed
    by = "by its name" if named else "by its place"
    session = not score("user", roles.user) and score("session", roles.user)
    if session:
        doubts.add("user", roles.user, "unsure", "no column of users: each session is taken as one")
    else:
        doubts.add("user", roles.user, "certain" if named else "likely", by)
    if named:
        doubts.add("item", roles.item, "certain", by)
    if clock := roles.clock:
        if clock.other:
            options = {
                order: f"{table.by_name[clock.column].samples[0]} is read as {form}"
                for form in sorted((clock.form, clock.other))
                for order in ["day first" if form[:2] == "%d" else "month first"]
            }
            default = "day first" if clock.form[:2] == "%d" else "month first"
            text = f"All of {clock.column} can be read day first and month first. Which is it?"
            doubts.ask(Question("dates", text, options, default, rank=1))
        sure: Sure = "unsure" if clock.other else "certain"
        zone = "" if clock.zoned or "since" in clock.in_words else ", no offset: read as UTC"
        if doubts.answers.get("zone") and zone:
            zone = f", in {doubts.answers['zone']}"
        doubts.add("time", clock.column, sure, clock.in_words + zone)
