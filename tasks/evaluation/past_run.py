"""The night as it was some days ago: what it would have learnt, and the lists it would have made.

Everything is computed by the night's own steps, from the clean log up to the cut. Two things are as
they are known tonight, since the log does not tell what was known then: an event of before the cut
that arrived after it is seen, though no later than the night's own `as_of`; and whether an item is
available, and an event a duplicate or bad, is judged by tonight's files. An item that the catalogue
says was created after the cut is not available.
"""

from dataclasses import dataclass, replace

from tasks.artifacts.records import CleanLog, Features, Lists, Model
from tasks.evaluation.settings import Recipe
from tasks.features.build import build_features
from tasks.ingest.daily_log import write_log
from tasks.io.duckdb_session import connect, one_file, query, stream, write_query
from tasks.models.als.train import train_als
from tasks.models.als.warm_start import starting_point
from tasks.recommend.popularity import popular_lists
from tasks.recommend.topn import top_n
from tasks.runs.run_folder import Run


@dataclass(frozen=True)
class Past:
    """A night of the past, up to its lists."""

    run: Run
    features: Features
    model: Model
    lists: Lists
    popular: Lists


def past_night(run: Run, log: CleanLog, recipe: Recipe) -> Past:
    """Compute features, model and lists as of `run.as_of`, the cut, from tonight's clean log.

    Nothing after the cut changes a byte of them: training starts from a night of before it, as that
    night did, or anew. Raises `NothingToLearn` where no event up to the
    cut says anything for any item.
    """
    then = log_until(run, log)
    features = build_features(run, then, recipe.features)
    model = train_als(run, features, recipe.train, starting_point(run, recipe.train))
    return Past(
        run=run,
        features=features,
        model=model,
        lists=top_n(run, features, model, recipe.topn, recipe.train),
        popular=popular_lists(run, then, features, recipe.popularity, recipe.topn, recipe.features),
    )


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
