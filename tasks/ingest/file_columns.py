"""Columns of one Parquet file held against the contract: what is read, how, and what is wrong."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tasks.ingest.column_types import ACCEPTS, Kind, is_text, plain_type, remedy
from tasks.ingest.times import FIRST_US, LAST_US, TimeForm

#: Optional columns without which a night is as right: one of a type that does not fit is unread.
_DISPENSABLE = {
    "event_id": "without it, the same user, item, type and second counts once",
    "session_id": "no list depends on it",
}
#: DuckDB's name for a row's place in its file, which no column may have.
ROW_NUMBER = "file_row_number"
#: Hive's word in a path for null.
_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass
class Columns:
    """What is read of a file: contract column -> the file's name of it, and its type.

    `times` say how columns of times hold them. `in_path` are texts that stand in the file's path
    (`event_type=view/`) and in no column. `unread` are findings that the night can go on with.
    """

    names: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    times: dict[str, TimeForm] = field(default_factory=dict)
    in_path: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def signature(self) -> str:
        """Equal for files that are read by one statement."""
        return repr((self.names, self.types, self.times, self.in_path))


def match_columns(
    relation: str,
    file: Path,
    schema: pa.Schema,
    contract: Mapping[str, tuple[Kind, bool]],
    renamed: Mapping[str, str],
) -> Columns:
    """Find the contract's columns in a file, under other names where `renamed` says so."""
    found, in_path = Columns(), _in_path(file)
    wanted = {renamed.get(ours, ours) for ours in contract}
    if alike := _alike(schema, wanted):
        return Columns(problems=alike)
    for ours, (kind, required) in contract.items():
        theirs = renamed.get(ours, ours)
        if theirs in schema.names:
            _match_type(found, ours, theirs, kind, schema.field(theirs).type, file)
        elif theirs in in_path:
            _match_text(found, ours, theirs, kind, in_path[theirs])
        elif required or ours in renamed:
            names = [*schema.names, *(f"{name}= in the path" for name in in_path)]
            found.problems.append(_missing(relation, ours, theirs, kind, names))
    return found


def _match_type(
    found: Columns, ours: str, theirs: str, kind: Kind, actual: pa.DataType, file: Path
) -> None:
    """Take a column up if its type fits; one of nothing but nulls is as good as absent."""
    plain = plain_type(actual)
    expected, accepts = ACCEPTS[kind]
    if pt.is_null(plain):
        return
    if accepts(plain):
        found.names[ours], found.types[ours] = theirs, str(actual)
        if kind == "time":
            found.times[ours] = time_form(file, theirs, plain)
        return
    said = f"column '{theirs}' is {actual}, expected {expected} for {ours}"
    if ours in _DISPENSABLE:
        todo = remedy(kind, actual, theirs)
        found.unread.append(f"{said}, so it is not read ({_DISPENSABLE[ours]}). {todo}")
    else:
        found.problems.append(f"{said}. {remedy(kind, actual, theirs)}")


def _match_text(found: Columns, ours: str, theirs: str, kind: Kind, text: str) -> None:
    """Take up the text that stands in the path, where a column of its kind can be made of it."""
    if text == _NULL:
        return
    if _fits(kind, text):
        found.in_path[ours] = text
    else:
        found.problems.append(
            f"'{theirs}={text}' in the path is not {ACCEPTS[kind][0]} for {ours}. "
            "Write the column into the files."
        )


def _fits(kind: Kind, text: str) -> bool:
    if kind == "number":
        try:
            float(text)
        except ValueError:
            return False
    if kind == "flag":
        return text.lower() in ("true", "false")
    return kind != "texts"


def _in_path(file: Path) -> dict[str, str]:
    """Return the texts of the folders `name=text` on the way to a file, links followed too."""
    folders = (*file.resolve().parts[:-1], *file.absolute().parts[:-1])
    pairs = (folder.partition("=") for folder in folders)
    return {unquote(name): unquote(text) for name, equals, text in pairs if equals}


def time_form(file: Path, column: str, kind: pa.DataType) -> TimeForm:
    """Return how a column holds times: by Parquet's own type, whatever Arrow makes of it."""
    if is_text(kind):
        return "text"
    if pt.is_date(kind):
        return "date"
    metadata = pq.read_metadata(file)
    number = next(
        n for n in range(metadata.num_columns) if metadata.schema.column(n).path == column
    )
    logical = str(metadata.schema.column(number).logical_type)
    if "nanoseconds" in logical:
        return "timestamp_ns"
    if "milliseconds" in logical and not _within_years(metadata, number):
        return "milliseconds"
    return "timestamp"


def _within_years(metadata: pq.FileMetaData, column: int) -> bool:
    """Tell whether statistics prove that all milliseconds of a column lie in years 1 to 9999."""
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(column)
        known = chunk.statistics
        if known is None or not known.has_min_max:
            if known is None or known.null_count != chunk.num_values:
                return False
        elif known.min_raw * 1000 < FIRST_US or known.max_raw * 1000 > LAST_US:
            return False
    return True


def _alike(schema: pa.Schema, wanted: set[str]) -> list[str]:
    """Refuse a name that is there twice: SQL is blind to case and would read the first."""
    counts = Counter(column.lower() for column in [*schema.names, ROW_NUMBER])
    return [
        f"more than one column answers to '{theirs}', expected one (upper "
        f"and lower case are alike, and {ROW_NUMBER} is taken); found "
        f"{', '.join(schema.names)}. Rename the others."
        for theirs in sorted(wanted | {ROW_NUMBER})
        if counts[theirs.lower()] > 1
    ]


def _missing(relation: str, ours: str, theirs: str, kind: Kind, names: list[str]) -> str:
    return (
        f"column '{theirs}' is missing, expected {ACCEPTS[kind][0]} for {ours}; found "
        f"{', '.join(names)}. If it has another name, map it in the settings: "
        f'NIGHTSHELF_INPUTS__{relation.upper()}=\'{{"{ours}": "<name in the file>"}}\''
    )
