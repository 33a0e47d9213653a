"""The tables that paths hold: files of one form and header together, or a table of a database."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from data.importers.csv_dialect import Dialect
from nightshelf_ops.init.reading.csv_form import CsvForm, kind_of_text, look_at_csv
from tasks.io.find_files import find_files

Kind = Literal["csv", "json", "parquet", "duckdb", "sqlite", "postgres"]

_PARQUET = (".parquet", ".parq", ".pq")
_ADDRESS = ("postgres://", "postgresql://")
_REFUSED = {
    b"PK\x03\x04": "a zip archive or a spreadsheet: unpack it, or save it as CSV",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it",
    b"BZh": "a bzip2 archive: unpack it",
    b"\xfd7zXZ": "an xz archive: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"\xd0\xcf\x11\xe0": "a spreadsheet: save it as CSV",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"ORC": "ORC: write Parquet or CSV",
    b"Obj\x01": "Avro: write Parquet or CSV",
}


@dataclass(frozen=True)
class Source:
    """Files that hold one table in one form; of a database `table` names it.

    `address` is that of a Postgres server, which may hold a password.
    """

    kind: Kind
    files: tuple[Path, ...]
    table: str = ""
    form: CsvForm | None = None
    address: str = field(default="", repr=False)

    @property
    def title(self) -> str:
        """A name for people."""
        if self.table:
            return f"{self.files[0].name}: {self.table}" if self.files else self.table
        more = len(self.files) - 1
        return self.files[0].name + (f" and {more:,} more" if more else "")

    @property
    def stem(self) -> str:
        """The part of the name that may tell the type of its events."""
        return self.table or self.files[0].name.partition(".")[0]


@dataclass
class Sources:
    """Tables found, and path -> reason for every file that is not read."""

    found: list[Source] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def find_sources(paths: Sequence[str]) -> Sources:
    """Find the tables at paths: files, folders, databases, addresses of Postgres."""
    sources = Sources()
    csvs: list[tuple[Path, CsvForm]] = []
    jsons: list[Path] = []
    for given in paths:
        if given.startswith(_ADDRESS):
            sources.found.append(Source("postgres", (), address=given))
            continue
        path = Path(given)
        for file in _files(path, sources):
            _sort_in(file, sources, csvs, jsons)
    for group in _alike([(file, _key(file, form)) for file, form in csvs]):
        form = next(form for file, form in csvs if file == group[0])
        sources.found.append(Source("csv", group, form=form))
    sources.found += [
        Source("json", group) for group in _alike([(f, (_plain_stem(f),)) for f in jsons])
    ]
    return sources


def _files(path: Path, sources: Sources) -> Iterator[Path]:
    """Yield files that are no Parquet; a folder's Parquet files become one source."""
    if path.is_file():
        if _is_parquet(path):
            sources.found.append(Source("parquet", (path,)))
        else:
            yield path
        return
    if not path.is_dir():
        sources.left_out[str(path)] = "it does not exist"
        return
    entries = sorted(e for e in path.iterdir() if not e.name.startswith((".", "_")))
    parquet = [e for e in entries if e.is_file() and _is_parquet(e)]
    parts = [e for e in entries if e.is_dir() and "=" in e.name]
    if parts and any(_has_parquet(part) for part in parts):
        sources.found.append(Source("parquet", (path,)))
        parquet, entries = [], [e for e in entries if e not in parts and e not in parquet]
    if len(parquet) == len(entries) > 1 and _same_columns(parquet):
        sources.found.append(Source("parquet", (path,)))
        return
    for group in _alike([(file, (_plain_stem(file),)) for file in parquet]):
        whole = len(group) == len(parquet) and len(group) > 1
        sources.found += [Source("parquet", (path,))] if whole else _each(group)
    for entry in entries:
        if entry not in parquet:
            yield from _files(entry, sources)


def _same_columns(files: Sequence[Path]) -> bool:
    try:
        return len({tuple(pq.read_schema(file).names) for file in files}) == 1
    except (pa.ArrowException, OSError):
        return False


def _each(files: Sequence[Path]) -> list[Source]:
    return [Source("parquet", (file,)) for file in files]


def _has_parquet(folder: Path) -> bool:
    return any(f.is_file() and _is_parquet(f) for f in folder.rglob("*"))


def _is_parquet(file: Path) -> bool:
    return file.name.lower().endswith(_PARQUET) or _head(file).startswith(b"PAR1")


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(16)
    except OSError:
        return b""


def _sort_in(
    file: Path, sources: Sources, csvs: list[tuple[Path, CsvForm]], jsons: list[Path]
) -> None:
    head = _head(file)
    refused = next((why for magic, why in _REFUSED.items() if head.startswith(magic)), "")
    if head.startswith(b"SQLite format 3"):
        sources.found.append(Source("sqlite", (file,)))
    elif head[8:12] == b"DUCK":
        sources.found.append(Source("duckdb", (file,)))
    elif refused or not head:
        sources.left_out[str(file)] = refused or "it is empty"
    elif kind_of_text(file) == "json":
        jsons.append(file)
    elif isinstance(form := look_at_csv(file), CsvForm):
        csvs.append((file, form))
    else:
        sources.left_out[str(file)] = form


def _key(file: Path, form: CsvForm) -> tuple[object, ...]:
    names = tuple(name.lower() for name in form.names)
    dialect: Dialect = form.dialect
    return names, form.headed, dialect.delimiter, dialect.encoding, _plain_stem(file)


def _plain_stem(file: Path) -> str:
    """Return a file's name without numbers, or its folder's where partitions hold the files."""
    folders = [part for part in file.parts[:-1] if "=" in part]
    if folders:
        return str(file)[: str(file).index(folders[0])]
    return re.sub(r"[0-9]+|part|[-_. ]", "", file.name.partition(".")[0].lower())


def _alike(files: Sequence[tuple[Path, tuple[object, ...]]]) -> list[tuple[Path, ...]]:
    groups: dict[tuple[object, ...], list[Path]] = {}
    for file, key in files:
        groups.setdefault(key, []).append(file)
    return [tuple(group) for group in groups.values()]


def parquet_files(path: Path) -> list[Path]:
    """Return the Parquet files that a night would read at a path."""
    return find_files("events", path).files
