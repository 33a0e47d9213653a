"""The split of a log that candidates are judged by, over a bounded sample of users."""

from dataclasses import replace

from tasks.artifacts.records import CleanLog
from tasks.choose.settings import ChooseSettings
from tasks.evaluation.protocols import Split, by_time, last_event
from tasks.features.settings import FeatureSettings
from tasks.ingest.daily_log import write_log
from tasks.io.duckdb_session import connect, one_file, query, stream
from tasks.runs.run_folder import Run

#: Part of the log's span that is held out at most, and of `least_judged` that is enough at last.
_HELD_OUT, _ENOUGH = 1 / 4, 1 / 5


def widest_split(
    run: Run, log: CleanLog, settings: ChooseSettings, weighing: FeatureSettings
) -> tuple[Split | None, int]:
    """Return the split of the first span that judges enough users, and its days.

    No split where even the longest span judges too few.
    """
    some = sampled(run, log, settings.n_users)
    if settings.protocol == "last event":
        split = last_event(run, some, weighing, settings.n_judged)
        return (split if len(split.user_ids) >= settings.least_judged * _ENOUGH else None), 0
    longest: tuple[Split | None, int] = (None, 0)
    for days in sorted(settings.days):
        if days > _span_days(run, log) * _HELD_OUT:
            break
        split = by_time(
            run.inside(f"days_{days}", run.as_of), some, weighing, days, settings.n_judged
        )
        if len(split.user_ids) >= settings.least_judged * _ENOUGH:
            longest = split, days
        if len(split.user_ids) >= settings.least_judged:
            break
    return longest


def sampled(run: Run, log: CleanLog, n_users: int) -> CleanLog:
    """Return the log of a sample of users by a hash of their ids; all of it if there are fewer."""
    with connect(run.folder) as db:
        db.read_parquet(one_file(log.events)).create_view("events")
        (known,) = db.execute("SELECT count(DISTINCT user_id) FROM events").fetchone() or (0,)
        if known <= n_users:
            return log
        path = run.path("sample/events.parquet")
        rows = stream(db, query("choose/events_of_sample"), {"n_users": n_users})
        n_events = write_log(path, rows.schema, rows)
        kinds = db.execute(query("ingest/count_event_types"), {"path": one_file(path)}).fetchall()
    return replace(log, events=path, n_events=n_events, event_types=dict(kinds))


def _span_days(run: Run, log: CleanLog) -> float:
    """Return the days from the first event to `as_of`."""
    with connect(run.folder) as db:
        db.read_parquet(one_file(log.events)).create_view("events")
        found = db.execute(
            "SELECT date_diff('second', min(ts), $as_of::TIMESTAMP) / 86400 FROM events",
            {"as_of": run.as_of},
        ).fetchone()
    return float(found[0]) if found and found[0] is not None else 0.0
