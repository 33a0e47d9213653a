"""The clean log: bad rows in quarantine, each event once, nothing after `as_of`."""

from datetime import datetime

import duckdb

from tasks.artifacts.records import CleanLog
from tasks.errors import TooManyBadRows
from tasks.ingest.contract import Inputs
from tasks.ingest.daily_log import write_log
from tasks.ingest.deduplicate import distinct_events
from tasks.ingest.findings import find_all
from tasks.ingest.settings import EventSettings
from tasks.ingest.validate import Validation, validate
from tasks.io.duckdb_session import connect, one_file, query, write_query
from tasks.runs.journal import computed
from tasks.runs.run_folder import Run


@computed
def clean_events(run: Run, inputs: Inputs, settings: EventSettings, *, now: datetime) -> CleanLog:
    """Validate every row of the three relations; write good rows and quarantined ones.

    Raises `TooManyBadRows`, after the quarantine file is written, above `max_bad_share`.
    """
    with connect(run.folder) as db:
        found = validate(db, inputs, settings, run.as_of, now)
        clean = distinct_events(db)
        n_events = write_log(run.path("events.parquet"), clean.schema, clean)
        log = record(run, db, inputs, found, n_events)
    refuse_bad(log, found, settings.max_bad_share)
    return log


def refuse_bad(log: CleanLog, found: Validation, max_bad_share: float) -> None:
    """Raise `TooManyBadRows` for a relation with a larger share of bad rows."""
    if too_many := found.too_many(max_bad_share):
        raise TooManyBadRows(
            f"{too_many}. Each row with its reason is in {log.quarantine}. "
            + "".join(f"{warning}. " for warning in log.warnings)
            + "Mend the log, or raise NIGHTSHELF_EVENTS__MAX_BAD_SHARE."
        )


def record(
    run: Run, db: duckdb.DuckDBPyConnection, inputs: Inputs, found: Validation, n_events: int
) -> CleanLog:
    """Write the files beside the clean events, which are written, and return the record of all."""
    events, items, users = (run.path(f"{name}.parquet") for name in ("events", "items", "users"))
    quarantine = run.path("quarantine.parquet")
    write_query(db, query("ingest/quarantine"), quarantine, {})
    n_items = write_query(db, query("ingest/clean_items"), items, {"as_of": run.as_of})
    write_query(db, query("ingest/clean_users"), users, {})
    types = db.execute(query("ingest/count_event_types"), {"path": one_file(events)}).fetchall()
    return CleanLog(
        events=events,
        items=items,
        users=users,
        quarantine=quarantine,
        rows_read=found.n_read,
        n_events=n_events,
        n_items=n_items,
        n_duplicates=found.rows["events"][""] - n_events,
        n_after_as_of=found.n_later,
        n_idle=found.n_idle,
        n_quarantined=sum(found.reasons.values()),
        quarantined=found.reasons,
        event_types=dict(types),
        set_aside=inputs.set_aside,
        warnings=(*inputs.notes, *find_all(db, run.as_of, n_events)),
    )
