"""The Parquet files of a relation: links followed, each file once, every other file named.

A file is Parquet by its ending (`.parquet`, `.parq`, `.pq`, upper or lower case) or by its first
four bytes. Every other file is named as left out, but for files and folders whose names begin with
`.` or `_`, which are ignored as by Hive and Spark.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.errors import InputError

_ENDINGS = (".parquet", ".parq", ".pq")
_MAGIC = (b"PAR1", b"PARE")
#: First bytes -> format, for files that are not Parquet.
_FORMATS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"ARROW1": "Arrow",
    b"FEA1": "Feather",
    b"SQLite": "SQLite",
}
EMPTY = "empty"
_IMPORT = (
    "To import CSV: .venv/bin/python -m data.importers.csv --help; from other formats write "
    "Parquet, as DuckDB does: COPY (FROM 'log.json') TO 'log.parquet'"
)


@dataclass
class Found:
    """Files at a path: `files` in a fixed order, and path -> reason for those not read.

    `left_out` are no Parquet or links to files read already; `broken` cannot be reached.
    """

    files: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def find_files(name: str, path: Path) -> Found:
    """Find the Parquet files at `path`, a file or a folder; `InputError` where there is none."""
    if path.is_file():
        if (other := other_format(path)) and other != EMPTY:
            raise InputError(f"{name}: {path} is no Parquet file but {other}. {_IMPORT}")
        return Found([path])
    if not path.is_dir():
        raise InputError(f"{name}: {path} does not exist; expected a Parquet file or a folder")
    found = Found()
    read = set[Path]()
    for file in sorted(_walk(path, found), key=lambda file: (file.is_symlink(), file)):
        _classify(file, found, read)
    found.files.sort()
    if not found.files and not found.broken:
        raise InputError(
            f"{name}: no Parquet file under {path}; expected date=YYYY-MM-DD/*.parquet"
            + "".join(f"; {file}: {reason}" for file, reason in [*found.left_out.items()][:3])
            + (f". {_IMPORT}" if found.left_out else "")
        )
    return found


def _walk(root: Path, found: Found) -> Iterator[Path]:
    """Yield all files, each folder once: real folders first, then those linked to."""
    folders, links, read = [root], list[Path](), set[Path]()
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        real = folder.resolve()
        if real in read:
            found.left_out[str(folder)] = f"a link to {real}, which is read already"
            continue
        read.add(real)
        for entry in _entries(folder, found):
            if not entry.is_dir():
                yield entry
            else:
                (links if entry.is_symlink() else folders).append(entry)


def _entries(folder: Path, found: Found) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        found.broken[str(folder)] = f"a folder that cannot be listed ({error.strerror})"
        return []
    return [entry for entry in entries if not entry.name.startswith((".", "_"))]


def _classify(file: Path, found: Found, read: set[Path]) -> None:
    """Add a file to the fitting part of `found`; `read` are the real paths read so far."""
    if not file.exists():
        gone = f"a link to nothing ({file.readlink()})" if file.is_symlink() else "gone"
        found.broken[str(file)] = gone
        return
    real = file.resolve()
    if not file.is_file():
        found.left_out[str(file)] = "neither a file nor a folder"
    elif real in read:
        found.left_out[str(file)] = f"a link to {real}, which is read already"
    elif not file.name.lower().endswith(_ENDINGS) and (other := other_format(file)):
        found.left_out[str(file)] = f"no Parquet file but {other}"
    else:
        found.files.append(file)
        read.add(real)


def other_format(file: Path) -> str:
    """Return the format of a file in words, empty for Parquet or where that cannot be told."""
    try:
        with file.open("rb") as stream:
            start = stream.read(200)
    except OSError:  # reported when it is read
        return ""
    if start.startswith(_MAGIC) or start in (b"P", b"PA", b"PAR"):  # cut short
        return ""
    for magic, name in _FORMATS.items():
        if start.startswith(magic):
            return name
    if not start:
        return EMPTY
    line = start.decode("utf-8", "replace").split("\n")[0].rstrip("\r")
    return f"text: {line[:60]}" if line.isprintable() else "of no known format"
