"""Match of one Parquet file's columns with the contract."""

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
from tasks.io.columns import EVENT_ID, SESSION_ID

#: Optional columns that are left unread if their type does not fit, and what follows.
_DISPENSABLE = {
    EVENT_ID: "without it, the same user, item, type and second counts once",
    SESSION_ID: "no list depends on it",
}
#: DuckDB's name for a row's place in its file; no column may bear it.
ROW_NUMBER = "file_row_number"
#: Null in a Hive path.
_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass
class Columns:
    """Columns read from a file: contract column -> the file's name of it, and its type.

    `times` gives the form of each time column. `in_path` are values from the file's path
    (`event_type=view/`). `unread` are warnings about columns that are not read.
    """

    names: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    times: dict[str, TimeForm] = field(default_factory=dict)
    in_path: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def signature(self) -> str:
        """Key of files that one statement can read."""
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
    """Add a column if its type fits; one of only nulls counts as absent."""
    plain = plain_type(actual)
    expected, accepts = ACCEPTS[kind]
    if pt.is_null(plain):
        return
    if accepts(plain):
        found.names[ours], found.types[ours] = theirs, str(actual)
        if kind == "time":
            found.times[ours] = time_form(file, theirs, plain)
        return
    mismatch = f"column '{theirs}' is {actual}, expected {expected} for {ours}"
    if ours in _DISPENSABLE:
        todo = remedy(kind, actual, theirs)
        found.unread.append(f"{mismatch}, so it is not read ({_DISPENSABLE[ours]}). {todo}")
    else:
        found.problems.append(f"{mismatch}. {remedy(kind, actual, theirs)}")


def _match_text(found: Columns, ours: str, theirs: str, kind: Kind, text: str) -> None:
    """Add a value from the path, if it can be read as a column of its kind."""
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
    """Return the values of folders `name=value` on the way to a file, before and after links."""
    folders = (*file.resolve().parts[:-1], *file.absolute().parts[:-1])
    pairs = (folder.partition("=") for folder in folders)
    return {unquote(name): unquote(text) for name, equals, text in pairs if equals}


def time_form(file: Path, column: str, kind: pa.DataType) -> TimeForm:
    """Return the form of a time column by its Parquet type, which Arrow's type may hide."""
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
    """Tell whether statistics prove that a column's milliseconds lie in years 1 to 9999."""
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
    """Refuse a name that occurs twice: SQL ignores case and would read the first."""
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
