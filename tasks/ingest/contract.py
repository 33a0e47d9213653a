"""The input contract of log, catalogue and users file, and the check of files against it.

Each relation is Parquet: one file, or a folder of them (hive partitions `date=YYYY-MM-DD/` for
events). Links are followed, and each file is read once. Parquet is told by `.parquet`, `.parq` or
`.pq`, or by its first bytes; all other files are named as left out. Files and folders whose names
begin with `.` or `_` are ignored.

========= ============= ======== ==================================================================
relation  column        needed   type and meaning
========= ============= ======== ==================================================================
events    user_id       yes      text or integer, at most 512 bytes percent-encoded
events    item_id       yes      text or integer, at most 512 bytes; must be in the catalogue
events    event_type    yes      text: purchase, view, ... (weights: `FeatureSettings.weights`)
events    ts            yes      timestamp or ISO 8601 text, UTC where it names no zone
events    value         no       number up to 1e12: the rating, or the revenue
events    event_id      no       text or integer: the same id counts once
events    arrived_at    no       timestamp or text: arrival in the log; unread before that
events    session_id    no       text or integer
items     item_id       yes      text or integer
items     category      yes      text; null, blank, "none", "nan", "n/a" count as `unknown`
items     title         no       text
items     price         no       number, not negative
items     available     no       true or false; null and absent count as true
items     created_at    no       timestamp or text; not available before it
items     tags          no       list of text
items     image_url     no       text: http, https, or relative; any other counts as none
users     user_id       yes      text or integer
users     segment       no       text
users     created_at    no       timestamp or text
========= ============= ======== ==================================================================

"Integer" is a whole number of any width, DECIMAL(n, 0), or a UUID, each read as its text: ids are
text, and 7 is neither 007 nor 7.0. Text of a time is ISO 8601 with an offset, `Z` or neither, in
years 1 to 9999; a zone's name (BST, CET) is not read. A price that is negative, NaN or infinite
counts as none. A column that stands in the path alone (`event_type=view/`) is read from there. An
`event_id` or `session_id` of another type is left unread, with a warning.

Other columns are never read. A column map (`InputSettings`) points at a log whose names differ.
A file that cannot be read to its end, checksums included, is named and set aside, and the night
stops unless the settings let it go on without such files.
Bad rows: `tasks/ingest/sql/validate_*.sql`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tasks.errors import InputError
from tasks.ingest.column_types import Kind
from tasks.ingest.file_columns import Columns, match_columns
from tasks.ingest.times import TimeForm
from tasks.io.columns import (
    ARRIVED_AT,
    AVAILABLE,
    CATEGORY,
    CREATED_AT,
    EVENT_ID,
    EVENT_TYPE,
    IMAGE_URL,
    ITEM_ID,
    PRICE,
    SEGMENT,
    SESSION_ID,
    TAGS,
    TITLE,
    TS,
    USER_ID,
    VALUE,
)
from tasks.io.find_files import Found, find_files
from tasks.io.parquet import BrokenFile, digest_of, prove_readable, read_schema

RelationName = Literal["events", "items", "users"]

#: Left-out files named in a warning.
_LISTED = 5

#: relation -> column -> (kind, required)
CONTRACT: Mapping[RelationName, Mapping[str, tuple[Kind, bool]]] = {
    "events": {
        USER_ID: ("text", True),
        ITEM_ID: ("text", True),
        EVENT_TYPE: ("text", True),
        TS: ("time", True),
        VALUE: ("number", False),
        EVENT_ID: ("text", False),
        ARRIVED_AT: ("time", False),
        SESSION_ID: ("text", False),
    },
    "items": {
        ITEM_ID: ("text", True),
        CATEGORY: ("text", True),
        TITLE: ("text", False),
        PRICE: ("number", False),
        AVAILABLE: ("flag", False),
        CREATED_AT: ("time", False),
        TAGS: ("texts", False),
        IMAGE_URL: ("text", False),
    },
    "users": {
        USER_ID: ("text", True),
        SEGMENT: ("text", False),
        CREATED_AT: ("time", False),
    },
}


@dataclass(frozen=True)
class InputSettings:
    """Column names of the files, and the handling of unreadable files.

    - `events`, `items`, `users`: column of the contract -> its name in the files.
    - `skip_broken_files`: set files aside that cannot be read, instead of failing the night.
    """

    events: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    skip_broken_files: bool = False


@dataclass(frozen=True)
class FileGroup:
    """Files that hold the same columns with the same types: contract column -> file's column.

    `times` gives the form of each time column; `in_path` are columns with one value, from the path.
    """

    files: tuple[Path, ...]
    columns: dict[str, str]
    times: dict[str, TimeForm] = field(default_factory=dict)
    in_path: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Relation:
    """A checked relation, and the files set aside (path -> reason).

    `digest` is the SHA-256 of names and contents of the files read. `problems` break the contract;
    `warnings` do not: files left out, optional columns not read.
    """

    name: RelationName
    groups: tuple[FileGroup, ...]
    set_aside: dict[str, str]
    digest: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """The night's three relations, checked; `users` has no groups without a users file."""

    events: Relation
    items: Relation
    users: Relation

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Events, items and users."""
        return self.events, self.items, self.users

    @property
    def set_aside(self) -> dict[str, str]:
        """Unreadable files of all relations: path -> reason."""
        return self.events.set_aside | self.items.set_aside | self.users.set_aside

    @property
    def digests(self) -> dict[str, str]:
        """Digest of each relation that has files."""
        return {relation.name: relation.digest for relation in self.relations if relation.digest}

    @property
    def problems(self) -> tuple[str, ...]:
        """Breaches of the contract, of all relations."""
        return tuple(each for relation in self.relations for each in relation.problems)

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings of all relations, for the record of the clean log."""
        return tuple(each for relation in self.relations for each in relation.warnings)


def check_inputs(events: Path, items: Path, users: Path | None, settings: InputSettings) -> Inputs:
    """Check all files against the contract before anything is computed; raises `InputError`.

    The error holds all problems of all files, a line each.
    """
    return refuse_problems(examine_inputs(events, items, users, settings))


def examine_inputs(
    events: Path, items: Path, users: Path | None, settings: InputSettings, *, hashed: bool = True
) -> Inputs:
    """Check all files; the result lists the problems."""
    skip = settings.skip_broken_files
    return Inputs(
        examine("events", events, settings.events, skip_broken_files=skip, hashed=hashed),
        examine("items", items, settings.items, skip_broken_files=skip, hashed=hashed),
        examine("users", users, settings.users, skip_broken_files=skip, hashed=hashed)
        if users
        else Relation("users", (), {}),
    )


def refuse_problems(checked: Inputs) -> Inputs:
    """Raise `InputError` if there are problems."""
    if checked.problems:
        raise InputError("\n".join(checked.problems))
    return checked


def check_relation(
    name: RelationName, path: Path, columns: Mapping[str, str], *, skip_broken_files: bool
) -> Relation:
    """Check every file of a relation; raise `InputError` with all problems."""
    relation = examine(name, path, columns, skip_broken_files=skip_broken_files)
    if relation.problems:
        raise InputError("\n".join(relation.problems))
    return relation


def examine(
    name: RelationName,
    path: Path,
    columns: Mapping[str, str],
    *,
    skip_broken_files: bool,
    hashed: bool = True,
) -> Relation:
    """Check every file of a relation, and group the files by their columns and types.

    Without `hashed` there is no digest, which takes as long as the rest.
    """
    if unknown := sorted(set(columns) - set(CONTRACT[name])):
        problem = (
            f"{name}: the column map names {', '.join(unknown)}, which the contract does "
            f"not know; it knows {', '.join(CONTRACT[name])}"
        )
        return Relation(name, (), {}, problems=(problem,))
    try:
        found = find_files(name, path)
    except InputError as error:
        return Relation(name, (), {}, problems=(str(error),))
    matched = _match_all(name, found, columns)
    problems = _by_file(name, {file: each.problems for file, each in matched.items()})
    if found.broken and not (skip_broken_files and matched):
        problems = (*problems, _unreadable(name, found.broken, some_left=bool(matched)))
    files = [file for file, each in matched.items() if not each.problems]
    return Relation(
        name,
        _grouped({file: matched[file] for file in files}),
        found.broken,
        digest_of(path, files) if hashed and not problems else "",
        problems,
        (
            *_left_out(name, found.left_out),
            *_by_file(name, {file: each.unread for file, each in matched.items()}),
        ),
    )


def _match_all(name: RelationName, found: Found, columns: Mapping[str, str]) -> dict[Path, Columns]:
    """Return the columns of every readable file; note the others as broken."""
    matched = {}
    for file in found.files:
        try:
            each = match_columns(name, file, read_schema(file), CONTRACT[name], columns)
            prove_readable(file, list(each.names.values()))
        except BrokenFile as broken:
            found.broken[str(file)] = str(broken)
        else:
            matched[file] = each
    return matched


def _grouped(matched: Mapping[Path, Columns]) -> tuple[FileGroup, ...]:
    groups: dict[str, list[Path]] = {}
    for file, columns in matched.items():
        groups.setdefault(columns.signature, []).append(file)
    return tuple(
        FileGroup(tuple(files), first.names, first.times, first.in_path)
        for files in groups.values()
        for first in [matched[files[0]]]
    )


def _by_file(name: str, sentences: Mapping[Path, list[str]]) -> tuple[str, ...]:
    """Return each sentence once, with the first file it is about and the number of others."""
    files: dict[str, list[Path]] = {}
    for file, of_file in sentences.items():
        for sentence in of_file:
            files.setdefault(sentence, []).append(file)
    return tuple(
        f"{name} {paths[0]}{f' and {len(paths) - 1:,} more files' * (len(paths) > 1)}: {sentence}"
        for sentence, paths in files.items()
    )


def _left_out(name: str, left_out: Mapping[str, str]) -> tuple[str, ...]:
    """Return one warning about all files that are not read."""
    if not left_out:
        return ()
    listed = [f"{file} ({reason})" for file, reason in [*left_out.items()][:_LISTED]]
    more = f" and {len(left_out) - _LISTED:,} more" if len(left_out) > _LISTED else ""
    return (f"{name}: {len(left_out):,} left out: {'; '.join(listed)}{more}",)


def _unreadable(name: str, broken: Mapping[str, str], *, some_left: bool) -> str:
    listed = "; ".join(f"{file}: {reason}" for file, reason in broken.items())
    remedy = (
        "Restore them, or go on without them: NIGHTSHELF_INPUTS__SKIP_BROKEN_FILES=true"
        if some_left
        else "No other file is left: restore them"
    )
    return f"{name}: {len(broken)} unreadable file(s), so nothing was computed. {listed}. {remedy}"
