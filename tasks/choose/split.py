"""The splits of a log that candidates are judged by, over a bounded sample of users."""

from dataclasses import dataclass, replace

from tasks.artifacts.records import CleanLog
from tasks.choose.settings import ChooseSettings
from tasks.evaluation.protocols import Split, last_event, night_before, split_at, taken_after
from tasks.features.settings import FeatureSettings
from tasks.ingest.daily_log import write_log
from tasks.io.columns import USER_ID
from tasks.io.duckdb_session import connect, one_file, query, stream
from tasks.runs.run_folder import Run

#: Part of the log's span that is held out at most.
_HELD_OUT = 1 / 4


@dataclass(frozen=True, eq=False)
class Splits:
    """One known part of a log, and the users that judge by it, by protocol.

    `days` are held out of `span_days`; `run` is the smaller night of the cut. A protocol by which
    fewer than `least` users with a history are judged has no say.
    """

    run: Run
    known: CleanLog
    by_protocol: dict[str, Split]
    days: int
    least: int = 1
    span_days: float = 0.0


def splits_of(
    run: Run, log: CleanLog, settings: ChooseSettings, weighing: FeatureSettings
) -> Splits:
    """Split the log by the protocols of the settings; those that judge too few are left out."""
    some = sampled(run, log, settings.n_users)
    splits = Splits(run, some, {}, 0, settings.enough, _span_days(run, some))
    if settings.protocol != "last event":
        splits = _by_time(splits, settings, weighing)
    if settings.protocol == "by time":
        return splits
    others = next((each.user_ids for each in splits.by_protocol.values()), None)
    last = last_event(splits.run, splits.known, weighing, settings.n_judged, others)
    if len(last.user_ids) < settings.enough:
        return splits
    return replace(splits, known=last.known, by_protocol=splits.by_protocol | {"last event": last})


def _by_time(whole: Splits, settings: ChooseSettings, weighing: FeatureSettings) -> Splits:
    """Hold out the shortest span that judges enough users, or else the longest that may be."""
    found, longest = None, whole.span_days * _HELD_OUT
    for days in sorted(settings.days):
        if days > longest:
            break
        past = night_before(whole.run.inside(f"days_{days}", whole.run.as_of), days)
        taken = taken_after(past, whole.known, weighing, settings.n_judged)
        n_users = len(taken.column(USER_ID).unique())
        if n_users >= settings.enough:
            found = days, past, taken
        if n_users >= settings.least_judged:
            break
    if found is None:
        return whole
    days, past, taken = found
    split = split_at(past, whole.known, taken)
    return replace(
        whole, run=split.run, known=split.known, by_protocol={"by time": split}, days=days
    )


def sampled(run: Run, log: CleanLog, n_users: int) -> CleanLog:
    """Return the log of a sample of users by a hash of their ids; all of it if there are fewer."""
    with connect(run.folder) as db:
        events = db.read_parquet(one_file(log.events))
        # An estimate is enough where there are far more users, and costs a fifth of the time.
        ((some,),) = events.aggregate("approx_count_distinct(user_id)").fetchall()
        if some <= 2 * n_users:
            ((known,),) = events.aggregate("count(DISTINCT user_id)").fetchall()
            if known <= n_users:
                return log
        path = run.path("sample/events.parquet")
        db.read_parquet(one_file(log.events)).create_view("events")
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
