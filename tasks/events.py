"""The log, checked: bad rows to quarantine, each event once, nothing after `as_of`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import duckdb
from pydantic import Field

from nightshelf.contract import MAX_ID_BYTES
from tasks.days import write_log
from tasks.duck import connect, one_file, query, write_query
from tasks.errors import TooManyBadRows
from tasks.in_order import distinct_events
from tasks.inputs import CONTRACT, Inputs, Kind, Relation
from tasks.records import CleanLog
from tasks.run import Run, computed

#: The name under which a row's path is read: a log's own column `filename` stays out of the way.
_FILE = "nightshelf_file"

#: The first that DuckDB knows; a file can hold an earlier one.
_FIRST_INSTANT = "290309-12-22 (BC) 00:00:00+00"

_SQL_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "time": "TIMESTAMP",
    "number": "DOUBLE",
    "flag": "BOOLEAN",
    "texts": "VARCHAR[]",
}


@dataclass(frozen=True)
class EventSettings:
    """What counts as a bad row, and how many the night bears.

    - `max_bad_share`: the night fails when a larger share of the rows up to `as_of` is bad, 0 to 1.
    - `may_be_negative`: event types whose `value` may be below zero.
    - `clock_tolerance_s`: how far past the clock of this machine a `ts` may lie.
    - `idle`: event types that teach nothing, which are counted and otherwise not read.
    """

    max_bad_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    may_be_negative: tuple[str, ...] = ("return", "refund", "cancel")
    clock_tolerance_s: int = 3600
    idle: tuple[str, ...] = ("impression", "profile_update")


@computed
def clean_events(run: Run, inputs: Inputs, settings: EventSettings, *, now: datetime) -> CleanLog:
    """Judge every row of the three relations, and write the good and the bad ones apart.

    Raises `TooManyBadRows`, after the quarantine file is written, above `max_bad_share`.
    """
    parameters = {
        "as_of": run.as_of,
        "now": now + timedelta(seconds=settings.clock_tolerance_s),
        "max_id_bytes": MAX_ID_BYTES,
        "may_be_negative": list(settings.may_be_negative),
        "idle": list(settings.idle),
    }
    with connect(run) as db:
        for relation in (inputs.items, inputs.users, inputs.events):
            _judge(db, relation, parameters)
        log = _write(run, db, inputs, parameters)
    judged = log.rows_read - log.n_after_as_of
    share = log.n_quarantined / max(judged, 1)
    if share > settings.max_bad_share:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in log.quarantined.items())
        raise TooManyBadRows(
            f"{log.n_quarantined:,} of {judged:,} rows ({share:.2%}) are bad, more than the "
            f"{settings.max_bad_share:.2%} allowed: {reasons}. Each row with its reason is in "
            f"{log.quarantine}. Mend the log, or raise NIGHTSHELF_EVENTS__MAX_BAD_SHARE."
        )
    return log


def _judge(db: duckdb.DuckDBPyConnection, relation: Relation, parameters: dict[str, Any]) -> None:
    """Make the table judged_<relation>: every row read, with the reason why it is bad, or null."""
    name = relation.name
    if name == "events":
        db.execute(
            "CREATE TEMP VIEW known_items AS SELECT item_id FROM judged_items WHERE reason IS NULL"
        )
    db.execute(f"CREATE TEMP VIEW raw_{name} AS {_raw_sql(relation)}")
    sql = query(f"judge_{name}")
    used = {key: value for key, value in parameters.items() if f"${key}" in sql}
    db.execute(f"CREATE TEMP TABLE judged_{name} AS {sql}", used)


def _write(
    run: Run, db: duckdb.DuckDBPyConnection, inputs: Inputs, parameters: dict[str, Any]
) -> CleanLog:
    events, items, users = (run.path(f"{name}.parquet") for name in ("events", "items", "users"))
    quarantine = run.path("quarantine.parquet")
    write_query(db, query("quarantine"), quarantine, {})
    clean = distinct_events(db)
    n_events = write_log(events, clean.schema, clean)
    n_items = write_query(db, query("clean_items"), items, {"as_of": run.as_of})
    write_query(db, query("clean_users"), users, {})
    reasons = _tally(db, query("count_reasons"))
    n_after_as_of = reasons.pop("after as_of", 0)
    rows_read = sum(_tally(db, query("count_rows")).values())
    n_quarantined = sum(reasons.values())
    good = _tally(db, "SELECT 'good', count(*) FROM good_events")["good"]
    return CleanLog(
        events=events,
        items=items,
        users=users,
        quarantine=quarantine,
        rows_read=rows_read,
        n_events=n_events,
        n_items=n_items,
        n_duplicates=good - n_events,
        n_after_as_of=n_after_as_of,
        n_idle=_tally(db, query("count_idle"), {"idle": parameters["idle"]})["idle"],
        n_quarantined=n_quarantined,
        quarantined=reasons,
        event_types=_tally(db, query("count_event_types"), {"path": one_file(events)}),
        set_aside=inputs.set_aside,
    )


def _tally(
    db: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any] | None = None
) -> dict[str, int]:
    return {str(name): int(count) for name, count in db.execute(sql, parameters or {}).fetchall()}


def _raw_sql(relation: Relation) -> str:
    """SELECT the contract's columns under its names and types, from files that may differ in both.

    Files of one group share their types; casting a group at a time keeps the first file from
    deciding the types of all.
    """
    groups = [
        f"SELECT {_columns_sql(relation, group.columns)}, {_FILE} AS file, "  # noqa: S608 - quoted
        f'file_row_number AS "row" FROM read_parquet([{", ".join(map(_path_sql, group.files))}], '
        f"hive_partitioning = false, filename = '{_FILE}', file_row_number = true)"
        for group in relation.groups
    ]
    empty = f"SELECT {_columns_sql(relation, {})}, '' AS file, 0::BIGINT AS \"row\" WHERE false"
    return " UNION ALL ".join(groups) or empty


def _columns_sql(relation: Relation, columns: dict[str, str]) -> str:
    parts = []
    for ours, (kind, _) in CONTRACT[relation.name].items():
        theirs = _name_sql(columns[ours]) if ours in columns else "NULL"
        if kind == "time":
            instant = _instant_sql(theirs)
            parts.append(f"{instant} AS {ours}")
            # What could not be parsed: a reason to judge by, and for the quarantine to show.
            text = f"nullif(CAST({theirs} AS VARCHAR), '')"
            parts.append(f"CASE WHEN {instant} IS NULL THEN {text} END AS {ours}_as_found")
        else:
            parts.append(f"CAST({theirs} AS {_SQL_TYPES[kind]}) AS {ours}")
    return ", ".join(parts)


def _instant_sql(column: str) -> str:
    """Text, dates and every timestamp alike; UTC where no zone is named, null where unparsable.

    In UTC both kinds of timestamp count the same microseconds; a cast would ask the calendar.
    """
    instant = f"TRY_CAST({column} AS TIMESTAMPTZ)"
    sound = f"isfinite({instant}) AND {instant} >= '{_FIRST_INSTANT}'::TIMESTAMPTZ"
    return f"CASE WHEN {sound} THEN make_timestamp(epoch_us({instant})) END"


def _name_sql(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _path_sql(path: Path) -> str:
    return "'" + one_file(path).replace("'", "''") + "'"
