"""The input contract: what a log, a catalogue and a users file must hold, and the check of it.

Each relation is Parquet: one file, or a folder of them (hive partitions `date=YYYY-MM-DD/` for
events). Files whose names begin with `.` or `_` are passed over.

========= ============= ======== ==================================================================
relation  column        needed   type and meaning
========= ============= ======== ==================================================================
events    user_id       yes      text or integer, at most 512 bytes percent-encoded
events    item_id       yes      text or integer, at most 512 bytes; must be in the catalogue
events    event_type    yes      text: purchase, view, ... (weights: `FeatureSettings.weights`)
events    ts            yes      timestamp or ISO 8601 text, UTC where it names no zone
events    value         no       number up to 1e12: the rating, or the revenue
events    event_id      no       text or integer: the same id counts once
events    arrived_at    no       timestamp or text: when the log learnt of it; unread before that
events    session_id    no       text or integer
items     item_id       yes      text or integer
items     category      yes      text; null, blank, "none", "nan", "n/a" count as `unknown`
items     title         no       text
items     price         no       number, not negative
items     available     no       true or false; null and absent count as true
items     created_at    no       timestamp or text; not available before it
items     tags          no       list of text
users     user_id       yes      text or integer
users     segment       no       text
users     created_at    no       timestamp or text
========= ============= ======== ==================================================================

Other columns are never read. A column map (`InputSettings`) points at a log whose names differ.
A file that cannot be read to its end, checksums included, is named and set aside, and the night
stops unless the settings let it go on without such files. Bad rows: `tasks/sql/judge_*.sql`.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.types as pt

from tasks.errors import InputError
from tasks.parquet import BrokenFile, digest_of, find_files, prove_readable, read_schema

RelationName = Literal["events", "items", "users"]
Kind = Literal["text", "time", "number", "flag", "texts"]

#: relation -> column -> (kind, required)
CONTRACT: Mapping[RelationName, Mapping[str, tuple[Kind, bool]]] = {
    "events": {
        "user_id": ("text", True),
        "item_id": ("text", True),
        "event_type": ("text", True),
        "ts": ("time", True),
        "value": ("number", False),
        "event_id": ("text", False),
        "arrived_at": ("time", False),
        "session_id": ("text", False),
    },
    "items": {
        "item_id": ("text", True),
        "category": ("text", True),
        "title": ("text", False),
        "price": ("number", False),
        "available": ("flag", False),
        "created_at": ("time", False),
        "tags": ("texts", False),
    },
    "users": {
        "user_id": ("text", True),
        "segment": ("text", False),
        "created_at": ("time", False),
    },
}


def _text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


#: DuckDB's name for a row's place in its file, which no column may have.
_ROW_NUMBER = "file_row_number"

_ACCEPTS: Mapping[Kind, tuple[str, Callable[[pa.DataType], bool]]] = {
    "text": ("text or integer", lambda t: _text(t) or pt.is_integer(t)),
    "time": (
        "a timestamp (or ISO 8601 text)",
        lambda t: pt.is_timestamp(t) or pt.is_date(t) or _text(t),
    ),
    "number": (
        "a number",
        lambda t: pt.is_integer(t) or pt.is_floating(t) or pt.is_decimal(t),
    ),
    "flag": ("true or false", pt.is_boolean),
    "texts": (
        "a list of text",
        lambda t: _is_list(t) and (_text(t.value_type) or pt.is_null(t.value_type)),
    ),
}


@dataclass(frozen=True)
class InputSettings:
    """How the files differ from the contract, and what to do about files that cannot be read.

    `events`, `items`, `users` map a contract column to its name in the files.
    """

    events: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    skip_broken_files: bool = False


@dataclass(frozen=True)
class FileGroup:
    """Files that hold the same columns with the same types: contract column -> file's column."""

    files: tuple[Path, ...]
    columns: dict[str, str]


@dataclass(frozen=True)
class Relation:
    """One checked relation, and the files that were set aside (path -> reason).

    `digest` is SHA-256 over the names and contents of the files that are read.
    """

    name: RelationName
    groups: tuple[FileGroup, ...]
    set_aside: dict[str, str]
    digest: str = ""


@dataclass(frozen=True)
class Inputs:
    """The night's three relations, checked; `users` has no groups where no file was given."""

    events: Relation
    items: Relation
    users: Relation

    @property
    def set_aside(self) -> dict[str, str]:
        """Files that could not be read, of all three: path -> reason."""
        return self.events.set_aside | self.items.set_aside | self.users.set_aside

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each relation that there is."""
        relations = (self.events, self.items, self.users)
        return {relation.name: relation.digest for relation in relations if relation.digest}


def check_inputs(events: Path, items: Path, users: Path | None, settings: InputSettings) -> Inputs:
    """Check all files against the contract before anything is computed; raises `InputError`."""
    skip = settings.skip_broken_files
    return Inputs(
        check_relation("events", events, settings.events, skip_broken_files=skip),
        check_relation("items", items, settings.items, skip_broken_files=skip),
        check_relation("users", users, settings.users, skip_broken_files=skip)
        if users
        else Relation("users", (), {}),
    )


def check_relation(
    name: RelationName, path: Path, columns: Mapping[str, str], *, skip_broken_files: bool
) -> Relation:
    """Check every file of a relation, and group the files by their columns and types."""
    unknown = set(columns) - set(CONTRACT[name])
    if unknown:
        raise InputError(
            f"{name}: the column map names {', '.join(sorted(unknown))}, which the contract does "
            f"not know; it knows {', '.join(CONTRACT[name])}"
        )
    groups: dict[tuple[tuple[str, str, str], ...], list[Path]] = {}
    set_aside: dict[str, str] = {}
    for file in find_files(name, path):
        try:
            found = _match(name, file, read_schema(file), columns)
            prove_readable(file, [theirs for _, theirs, _ in found])
        except BrokenFile as broken:
            set_aside[str(file)] = str(broken)
        else:
            groups.setdefault(tuple(found), []).append(file)
    if set_aside and not (skip_broken_files and groups):
        raise _unreadable(name, set_aside, some_left=bool(groups))
    typed = (
        FileGroup(tuple(files), {ours: theirs for ours, theirs, _ in found})
        for found, files in groups.items()
    )
    digest = digest_of(path, [file for files in groups.values() for file in files])
    return Relation(name, tuple(typed), set_aside, digest)


def _match(
    name: RelationName, file: Path, schema: pa.Schema, columns: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """Return (contract column, file column, its type), or raise `InputError` for what is wrong."""
    _tell_apart(name, file, schema, {columns.get(ours, ours) for ours in CONTRACT[name]})
    found = []
    for ours, (kind, required) in CONTRACT[name].items():
        theirs = columns.get(ours, ours)
        if theirs not in schema.names:
            if required or ours in columns:
                raise _missing(name, file, ours, theirs, schema)
            continue
        actual = schema.field(theirs).type
        plain = actual.value_type if pt.is_dictionary(actual) else actual
        expected, accepts = _ACCEPTS[kind]
        if pt.is_null(plain):  # nothing but nulls: as good as absent, and judged row by row
            continue
        if not accepts(plain):
            raise InputError(
                f"{name} {file}: column '{theirs}' is {actual}, expected {expected} for {ours}"
            )
        found.append((ours, theirs, str(actual)))
    return found


def _tell_apart(name: RelationName, file: Path, schema: pa.Schema, wanted: set[str]) -> None:
    """Refuse a name that is there twice: SQL is blind to case and would read the first."""
    counts = Counter(column.lower() for column in [*schema.names, _ROW_NUMBER])
    for theirs in sorted(wanted | {_ROW_NUMBER}):
        if counts[theirs.lower()] > 1:
            raise InputError(
                f"{name} {file}: more than one column answers to '{theirs}', expected one (upper "
                f"and lower case are alike, and {_ROW_NUMBER} is taken); found "
                f"{', '.join(schema.names)}. Rename the others."
            )


def _unreadable(name: RelationName, set_aside: Mapping[str, str], *, some_left: bool) -> InputError:
    listed = "; ".join(f"{file}: {reason}" for file, reason in set_aside.items())
    remedy = (
        "Restore them, or go on without them: NIGHTSHELF_INPUTS__SKIP_BROKEN_FILES=true"
        if some_left
        else "No other file is left: restore them"
    )
    return InputError(
        f"{name}: {len(set_aside)} unreadable file(s), so nothing was computed. {listed}. {remedy}"
    )


def _missing(
    name: RelationName, file: Path, ours: str, theirs: str, schema: pa.Schema
) -> InputError:
    expected, _ = _ACCEPTS[CONTRACT[name][ours][0]]
    return InputError(
        f"{name} {file}: column '{theirs}' is missing, expected {expected} for {ours}; found "
        f"{', '.join(schema.names)}. If it has another name, map it in the settings: "
        f'NIGHTSHELF_INPUTS__{name.upper()}=\'{{"{ours}": "<name in the file>"}}\''
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pt.is_list(kind) or pt.is_large_list(kind) or pt.is_list_view(kind))
