"""Files of the collected log: named by their content, written durably.

::

    <events_dir>/date=YYYY-MM-DD/tracked-<first>_<last>-<digest>.parquet   as collected (UTC date)
    <events_dir>/date=YYYY-MM-DD/merged-<first>_<last>-<digest>.parquet    several of them in one
    <events_dir>-quarantine/malformed-<first>_<last>-<digest>.parquet      malformed entries

`first` and `last` are ids of stream entries; the digest is over all content, so that the same
entries give the same name, and different ones never do.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.collector.event_schema import Entry
from tasks.io.disk import begun

#: Grain: one malformed entry, with all its fields as bytes.
QUARANTINE = pa.schema(
    [
        ("entry_id", pa.string()),
        ("reason", pa.string()),
        ("fields", pa.list_(pa.struct([("name", pa.binary()), ("value", pa.binary())]))),
    ]
)

_NAME = re.compile(
    r"(?P<kind>tracked|merged)-(?P<first>[0-9]+-[0-9]+)_(?P<last>[0-9]+-[0-9]+)-[0-9a-f]{16}\.parquet"
)


def quarantine_of(events_dir: Path) -> Path:
    """Return the folder of malformed entries: beside the log, where no night reads it."""
    events_dir = events_dir.absolute()
    return events_dir.with_name(f"{events_dir.name}-quarantine")


def id_order(entry_id: str) -> tuple[int, int]:
    """Return the sort key of an entry's id."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)


@dataclass(frozen=True)
class LogFile:
    """A file that a collector has written."""

    path: Path
    kind: str
    first: str
    last: str


def own_files(folder: Path) -> list[LogFile]:
    """Return the collector's files of a partition, in the order of their ids.

    Files that a shop has put there itself are not among them.
    """
    matches = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir())
    found = [LogFile(path, **match.groupdict()) for path, match in matches if match]
    return sorted(found, key=lambda file: (id_order(file.first), file.path.name))


def name_of_entries(kind: str, entries: Iterable[Entry]) -> str:
    """Return the name of a file of these entries, which are in the order of their ids."""
    digest, ids = hashlib.sha256(), []
    for entry_id, fields in entries:
        ids.append(entry_id.decode())
        parts = [entry_id, *(part for pair in fields.items() for part in pair)]
        for part in parts:
            digest.update(len(part).to_bytes(8) + part)
        digest.update(b"\xff" * 8)
    return _name(kind, ids[0], ids[-1], digest.hexdigest())


def name_of_merged(files: Iterable[LogFile]) -> str:
    """Return the name of the file that merges these."""
    files = list(files)
    digest = hashlib.sha256("\n".join(sorted(file.path.name for file in files)).encode())
    first = min((file.first for file in files), key=id_order)
    last = max((file.last for file in files), key=id_order)
    return _name("merged", first, last, digest.hexdigest())


def write_durably(path: Path, table: pa.Table) -> None:
    """Write a table under a temporary name, fsync, rename, and fsync the folders.

    When this returns, the file survives a power cut. Several writers may write it at once: the same
    name has the same content.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with begun(partial), partial.open("wb") as stream:
            pq.write_table(table, stream, compression="zstd", write_page_checksum=True)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        with suppress(OSError):  # another process has written there
            for folder in made:
                folder.rmdir()
        raise
    for folder in (path.parent, *(each.parent for each in made)):
        _sync(folder)


def _name(kind: str, first: str, last: str, digest: str) -> str:
    return f"{kind}-{first}_{last}-{digest[:16]}.parquet"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
