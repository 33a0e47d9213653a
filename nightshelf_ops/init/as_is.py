"""Parquet that a night can read as it is, with at most other names for its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nightshelf_ops.init.catalogue import Catalogue, Users
from nightshelf_ops.init.log import LogFacts
from nightshelf_ops.init.roles import EventRoles
from tasks.ingest.contract import RelationName, examine
from tasks.ingest.settings import EventSettings

#: With more bad rows a night fails; an import refuses them.
_MAX_BAD = EventSettings().max_bad_share


@dataclass(frozen=True)
class AsIs:
    """Paths of a night's three relations; column of ours -> the file's name where it differs."""

    events: Path
    items: Path
    users: Path | None
    names: dict[str, dict[str, str]] = field(default_factory=dict)


def fit_as_is(
    events: Sequence[EventRoles],
    catalogue: Catalogue | None,
    users: Users | None,
    facts: LogFacts,
    n_orphans: int,
    answers: Mapping[str, str],
) -> AsIs | None:
    """Return the paths where a night reads the files as they are, None where they are imported."""
    roles = events[0]
    if len(events) > 1 or catalogue is None or not roles.kind or roles.clock is None:
        return None
    sources = [each.table.raw.source for each in (roles, catalogue, users) if each]
    tables = [roles.table, catalogue.table, *([users.table] if users else [])]
    if any(s.kind != "parquet" for s in sources) or any("_" in t.name for t in tables):
        return None
    changed = catalogue.form.sql or (users and users.form.sql) or answers.get("zone")
    if changed or not catalogue.category.plain or roles.clock.form != "ISO 8601":
        return None
    bad = facts.n_rows - facts.n_events + n_orphans
    if bad > _MAX_BAD * facts.n_rows or (roles.price and roles.quantity):
        return None
    names = {
        "events": {
            "user_id": roles.user,
            "item_id": roles.item,
            "event_type": roles.kind,
            "ts": roles.clock.column,
            "value": roles.rating or roles.amount or roles.price,
            "session_id": roles.session,
        },
        "items": dict(catalogue.source),
        "users": {"user_id": users.key, "segment": users.segment} if users else {},
    }
    paths = {
        "events": roles.table.raw.source.files[0],
        "items": catalogue.table.raw.source.files[0],
    }
    if users:
        paths["users"] = users.table.raw.source.files[0]
    maps = {
        relation: {ours: theirs for ours, theirs in columns.items() if theirs and ours != theirs}
        for relation, columns in names.items()
    }
    for relation, path in paths.items():
        if not _fits(relation, path, maps[relation]):  # type: ignore[arg-type]
            return None
    return AsIs(paths["events"], paths["items"], paths.get("users"), maps)


def _fits(relation: RelationName, path: Path, names: Mapping[str, str]) -> bool:
    found = examine(relation, path, names, skip_broken_files=False, hashed=False)
    return not found.problems
