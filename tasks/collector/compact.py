"""Compaction: small files of the collected log merged into larger ones while readers read.

A reader lists a folder and then opens its files. So a merged file appears beside those that it
replaces, whose names are in its metadata, and a later run deletes them, when no reader that listed
the folder before can still be reading. Until then an event may be there twice, with one `event_id`;
it is never absent, whenever a process dies.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from tasks.collector.event_schema import EVENTS, ORDER
from tasks.collector.log_files import (
    LogFile,
    name_of_merged,
    own_files,
    quarantine_of,
    write_durably,
)
from tasks.io.columns import ARRIVED_AT, EVENT_ID
from tasks.io.disk import written_whole
from tasks.io.parquet import BrokenFile

_REPLACES = b"nightshelf.replaces"
_ABANDONED_S = 3600.0
_ADVICE = "The log is as it was: make room, and the next run merges"


@dataclass(frozen=True)
class CompactSettings:
    """Sizes and ages at which files are merged and deleted.

    - `max_files_today`: today's small files are merged when there are more; those of earlier dates
      always.
    - `max_file_bytes`: about what a merged file holds at most; a file of half as much is not small.
    - `keep_replaced_s`: how long a merged file stands beside what it replaces: longer than anybody
      reads the log after having listed it.
    """

    max_files_today: NonNegativeInt = 20
    max_file_bytes: PositiveInt = 32 * 2**20
    keep_replaced_s: NonNegativeFloat = 3600.0


@dataclass(frozen=True)
class Compacted:
    """Summary of one run; dates with a `broken` file (folder -> reason) are left as they are."""

    n_merged: int
    n_doubles: int
    n_deleted: int
    broken: dict[str, str]


def compact(events_dir: Path, settings: CompactSettings, *, now: datetime) -> Compacted:
    """Merge the small files of every date, and delete those merged long enough ago.

    Raises `DiskError`; the log is then as before.
    """
    with written_whole(events_dir, "merging files of the log", _ADVICE):
        return _compact(events_dir, settings, now)


def _compact(events_dir: Path, settings: CompactSettings, now: datetime) -> Compacted:
    n = Counter(deleted=_delete_abandoned(quarantine_of(events_dir), now))
    broken: dict[str, str] = {}
    for folder in sorted(events_dir.glob("date=*/")):
        try:
            n["deleted"] += _delete_abandoned(folder, now)
            files = own_files(folder)
            if len(files) > 1:
                n.update(_tidy(files, settings, now))
        except BrokenFile as error:
            broken[str(folder)] = str(error)
        except FileNotFoundError:  # another run works on it
            continue
    return Compacted(n["merged"], n["doubles"], n["deleted"], broken)


def _tidy(files: Sequence[LogFile], settings: CompactSettings, now: datetime) -> dict[str, int]:
    """Merge and delete files of one date; return the counts."""
    folder = files[0].path.parent
    replaced = {file.path: _replaced_by(file.path) for file in files if file.kind == "merged"}
    names = set().union(*replaced.values())
    live = [file for file in files if file.path.name not in names]
    small = [file for file in live if file.path.stat().st_size < settings.max_file_bytes / 2]
    is_past = folder.name < f"date={now.astimezone(UTC).date().isoformat()}"
    n_merged = n_doubles = 0
    if len(small) > (1 if is_past else settings.max_files_today):
        for group in _groups(small, settings.max_file_bytes):
            n_merged += len(group)
            n_doubles += _merge(group)
    old = [path for path in replaced if _age_s(path, now) >= settings.keep_replaced_s]
    n_deleted = sum(_delete_replaced(path, replaced[path]) for path in old)
    return {"merged": n_merged, "doubles": n_doubles, "deleted": n_deleted}


def _groups(small: Sequence[LogFile], max_bytes: int) -> Iterator[list[LogFile]]:
    """Yield groups of files to merge, in the order of their ids."""
    group: list[LogFile] = []
    n_bytes = 0
    for file in small:
        size = file.path.stat().st_size
        if n_bytes + size > max_bytes:
            if len(group) > 1:
                yield group
            group, n_bytes = [], 0
        group.append(file)
        n_bytes += size
    if len(group) > 1:
        yield group


def _merge(files: Sequence[LogFile]) -> int:
    """Merge files into one, each event once; return the number of duplicates.

    Of one event the entry that arrived first stays, ties by all columns.
    """
    tables = [EVENTS.empty_table(), *(_read(file.path) for file in files)]
    rows = pa.concat_tables(tables, promote_options="default")
    keys = dict.fromkeys([EVENT_ID, ARRIVED_AT, *EVENTS.names])
    rows = rows.sort_by([(name, "ascending") for name in keys])
    ids = rows[EVENT_ID].combine_chunks()
    is_first = pa.concat_arrays([pa.array([True]), pc.not_equal(ids[1:], ids[:-1])])
    once = rows.filter(is_first).sort_by(ORDER)
    names = json.dumps(sorted(file.path.name for file in files))
    target = files[0].path.with_name(name_of_merged(files))
    write_durably(target, once.replace_schema_metadata({_REPLACES: names}))
    return int(rows.num_rows - once.num_rows)


def _delete_replaced(merged: Path, names: Iterable[str]) -> int:
    """Delete the files that a merged one replaces, after reading that back; return their number."""
    files = [path for path in map(merged.with_name, sorted(names)) if path.exists()]
    if files:
        _read(merged)
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _replaced_by(path: Path) -> frozenset[str]:
    """Return the names of the files that a merged one replaces."""
    with _named(path):
        metadata = pq.read_schema(path).metadata or {}
    return frozenset(json.loads(metadata.get(_REPLACES, b"[]")))


def _read(path: Path) -> pa.Table:
    """Return a file's rows, its checksums verified."""
    with _named(path):
        return pq.read_table(path, page_checksum_verification=True, partitioning=None)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name an unreadable file in the error; a missing one is not broken."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise BrokenFile(f"{path.name}: {error}") from error


def _delete_abandoned(folder: Path, now: datetime) -> int:
    """Delete unfinished files of dead writers; return their number."""
    abandoned = [p for p in folder.glob(".*.partial") if _age_s(p, now) >= _ABANDONED_S]
    for path in abandoned:
        path.unlink(missing_ok=True)
    return len(abandoned)


def _age_s(path: Path, now: datetime) -> float:
    return now.timestamp() - path.stat().st_mtime
