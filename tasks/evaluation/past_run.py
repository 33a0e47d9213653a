"""A past night, computed again from tonight's log up to a cut-off.

Everything is computed by the night's own steps, from the clean log up to the cut. Two things are as
they are known tonight, since the log does not tell what was known then: an event of before the cut
that arrived after it is seen, though no later than the night's own `as_of`; and whether an item is
available, and an event a duplicate or bad, is judged by tonight's files. An item that the catalogue
says was created after the cut is not available.
"""

from dataclasses import replace

from tasks.artifacts.records import CleanLog, Made
from tasks.ingest.daily_log import write_log
from tasks.io.duckdb_session import connect, one_file, query, stream, write_query
from tasks.pipeline import Pipeline
from tasks.recipe import Recipe
from tasks.runs.run_folder import Run


def past_night(run: Run, log: CleanLog, recipe: Recipe) -> Made:
    """Compute features, model and lists as of `run.as_of`, the cut, from tonight's clean log.

    Nothing after the cut changes a byte of them: training starts from a night of before it, as that
    night did, or anew. Raises `NothingToLearn` where no event up to the
    cut says anything for any item.
    """
    return Pipeline(run, log_until(run, log), replace(recipe, similar=None, further={})).whole()


def log_until(run: Run, log: CleanLog) -> CleanLog:
    """Return the clean log up to `run.as_of`; rows read and rows judged bad stay tonight's."""
    events, items = run.path("log/events.parquet"), run.path("log/items.parquet")
    cut = {"cut": run.as_of}
    with connect(run.folder) as db:
        for name, path in (("events", log.events), ("items", log.items)):
            db.read_parquet(one_file(path)).create_view(name)
        then = stream(db, query("evaluation/events_until"), cut)
        n_events = write_log(events, then.schema, then)
        write_query(db, query("evaluation/items_until"), items, cut)
        kinds = db.execute(query("ingest/count_event_types"), {"path": one_file(events)}).fetchall()
    types = {str(kind): int(n) for kind, n in kinds}
    return replace(log, events=events, items=items, n_events=n_events, event_types=types)
