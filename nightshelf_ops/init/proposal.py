"""The proposal: tables of events, catalogue, users, rules of types, rows to refuse, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from data.importers.csv_table import Table
from data.schema import InputError
from nightshelf_ops.init.as_is import AsIs, fit_as_is
from nightshelf_ops.init.catalogue import Catalogue, Users, find_catalogue, find_users
from nightshelf_ops.init.clocks import unread_time
from nightshelf_ops.init.columns import Looked
from nightshelf_ops.init.derived import Derived, derive
from nightshelf_ops.init.event_types import TypeRules, meanings
from nightshelf_ops.init.findings import Doubts, Finding, Question, check_answers, listed
from nightshelf_ops.init.judged import odd_items, rules_for
from nightshelf_ops.init.log import NO_YEAR, LogFacts, build_log, facts_of
from nightshelf_ops.init.roles import EventRoles, find_events


@dataclass
class Proposal:
    """All that follows from a look at the tables, and from the answers given.

    `log` is the table of events with the account of its rows; `keep` gives for each reason the
    condition of the rows that are kept. `orphans` are events of items that the catalogue lacks.
    `as_is` is set where the files are read as they are, without an import.
    """

    events: list[EventRoles]
    log: Table
    facts: LogFacts
    rules: TypeRules
    catalogue: Catalogue | None
    users: Users | None
    findings: list[Finding]
    open_questions: list[Question]
    questions: list[Question]
    keep: dict[str, str] = field(default_factory=dict)
    category_from: str = "none"
    n_orphans: int = 0
    n_orphan_items: int = 0
    as_is: AsIs | None = None
    notes: list[str] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def propose(
    db: duckdb.DuckDBPyConnection, given: Sequence[Looked], answers: Mapping[str, str]
) -> Proposal:
    """Return the proposal for tables, by the answers; `InputError` where there are no events."""
    check_answers(answers, {c.name for table in given for c in table.columns})
    doubts = Doubts(answers)
    derived = derive(db, given, doubts)
    tables = derived.tables
    events, left_out = find_events(db, tables, doubts)
    if not events:
        raise InputError(_no_events(given))
    for roles in events:
        if roles.clock is None and (unread := unread_time(roles.table)):
            raise InputError(unread)
    rest = [t for t in tables if all(t is not e.table for e in events) and t.title not in left_out]
    log = build_log(db, events, doubts)
    catalogue = find_catalogue(db, rest, doubts)
    users = find_users(db, rest, catalogue)
    notes = _harmonise(db, catalogue, users)
    keep = {"a time of the year 9999, which stands for none": NO_YEAR}
    keep |= {} if catalogue else odd_items(db, doubts)
    facts = facts_of(db, keep.values())
    if not facts.n_events:
        raise InputError(_no_rows(db, events[0]))
    meaning = meanings(facts.types, doubts)
    facts = facts_of(db, keep.values(), [name for name, of in meaning.items() if of == "purchase"])
    proposal = Proposal(
        *(
            events,
            log,
            facts,
            rules_for(facts, meaning, doubts, timed=bool(events[0].clock)),
            catalogue,
            users,
        ),
        *(doubts.findings, [], doubts.questions, keep),
        notes=[*derived.facts, *notes],
    )
    _catalogue_findings(db, proposal, doubts)
    _uses(proposal, rest, derived, left_out)
    proposal.as_is = fit_as_is(events, catalogue, users, facts, proposal.n_orphans, answers)
    proposal.open_questions = doubts.open_questions()
    return proposal


def _no_events(tables: Sequence[Looked]) -> str:
    if not tables:
        return "no table was found at the paths given"
    seen = "; ".join(f"{t.title} has {listed([c.name for c in t.columns], 12)}" for t in tables)
    return (
        f"no table of events was found: one needs a column of users and one of items. {seen}. "
        "Name them: --answer user=COLUMN --answer item=COLUMN"
    )


def _no_rows(db: duckdb.DuckDBPyConnection, roles: EventRoles) -> str:
    sample = db.execute("SELECT user_id, item_id, event_type, ts FROM log LIMIT 1").fetchall()
    row = (
        f", as {dict(zip(('user', 'item', 'type', 'time'), sample[0], strict=True))}"
        if sample
        else ""
    )
    return (
        f"{roles.table.title}: no row has a user, an item, a type and a time from 1970 to now"
        f"{row}. The columns taken: user={roles.user}, item={roles.item}, time="
        f"{roles.clock.column + ' (' + roles.clock.in_words + ')' if roles.clock else 'none'}"
    )


def _harmonise(
    db: duckdb.DuckDBPyConnection, catalogue: Catalogue | None, users: Users | None
) -> list[str]:
    """Write the log's ids in the form that catalogue and users have too; return notes."""
    notes = []
    for column, found in (("item_id", catalogue), ("user_id", users)):
        if found is None:
            continue
        form, title = found.form, found.table.title
        if form.sql:
            db.execute(f"UPDATE log SET {column} = {form.of(column)}")
            mine, theirs = form.sample
            notes.append(
                f"{column}: the log has {mine!r} where {title} has {theirs!r}; both are written "
                f"{form.name} ({form.before:.0%} of the ids matched before, {form.after:.0%} now)"
            )
        elif form.merges:
            notes.append(
                f"{column}: more ids of the log would be in {title} in another form, but that "
                f"would make one of {form.merges}; they stay as they are"
            )
    return notes


def _catalogue_findings(db: duckdb.DuckDBPyConnection, proposal: Proposal, doubts: Doubts) -> None:
    """Count the items that the catalogue lacks, and say where categories come from."""
    catalogue = proposal.catalogue
    if catalogue:
        table = catalogue.table
        doubts.add("catalogue", table.title, "certain", f"{catalogue.key} has the log's items")
        proposal.n_orphans, proposal.n_orphan_items = db.execute(
            "SELECT count(*), count(DISTINCT g.item_id) FROM good g LEFT JOIN "
            "(SELECT DISTINCT item_id FROM catalogue) c ON g.item_id = c.item_id "
            "WHERE c.item_id IS NULL"
        ).fetchall()[0]
        has_title, category = "title" in catalogue.columns, bool(catalogue.category.column)
    else:
        doubts.add("catalogue", "none", "likely", "items are those of the log")
        columns = next(iter(proposal.log.files.values()))
        has_title, category = "title" in columns, "category" in columns
    proposal.category_from = "column" if category else "title" if has_title else "none"
    if not category and has_title:
        doubts.add("category", "from titles", "unsure", "no column is one: nouns that titles share")
    elif not category:
        doubts.add("category", "none", "unsure", "no column is one, and there are no titles")
    if proposal.users:
        users = proposal.users
        doubts.add("users", users.table.title, "certain", f"segment {users.segment}")


def _uses(
    proposal: Proposal, rest: Sequence[Looked], derived: Derived, left_out: Mapping[str, str]
) -> None:
    proposal.used = {roles.table.title: "events" for roles in proposal.events} | derived.used
    catalogue, users = proposal.catalogue, proposal.users
    if catalogue:
        proposal.used[catalogue.table.title] = "catalogue"
    if users:
        proposal.used[users.table.title] = "users"
    proposal.left_out = dict(left_out)
    for table in rest:
        if table.title not in proposal.used:
            names = catalogue is not None and table.title in catalogue.category.why
            why = "neither events, nor the catalogue of their items, nor their users"
            if names:
                proposal.used[table.title] = "names of categories"
            else:
                proposal.left_out[table.title] = why if table.n_rows else "it has no rows"
