"""The catalogue with each item's exposure: `catalogue.parquet` of a run's folder."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts.records import Made
from tasks.evaluation.list_metrics import Bools, Ints
from tasks.evaluation.new_items import NewItems
from tasks.evaluation.served_lists import Evidence
from tasks.io.columns import AVAILABLE, CATEGORY, IMAGE_URL, ITEM_ID, TITLE, positions_of
from tasks.io.duckdb_session import connect, one_file, query
from tasks.io.parquet import write_table
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import saved_runs

CATALOGUE = "catalogue.parquet"
#: Days up to `as_of` whose events count as recent.
RECENT_DAYS = 30

#: Grain: item of the catalogue, in the order of `item_id`.
#: `n_lists` personal lists of the default model show it, `n_first` of them at the first place,
#: `n_lists_before` those of the generation before (none without its file). `n_events` of the last
#: `RECENT_DAYS`. `is_new` and `is_cold` as `NewItems` has them: of available items only.
CATALOGUE_SCHEMA = pa.schema(
    [
        (ITEM_ID, pa.string()),
        (TITLE, pa.string()),
        (CATEGORY, pa.string()),
        (IMAGE_URL, pa.string()),
        (AVAILABLE, pa.bool_()),
        ("is_new", pa.bool_()),
        ("is_cold", pa.bool_()),
        ("n_lists", pa.int64()),
        ("n_first", pa.int64()),
        ("n_lists_before", pa.int64()),
        ("n_events", pa.int64()),
    ]
)


def write_catalogue(run: Run, made: Made, evidence: Evidence, found: NewItems) -> Path:
    """Write the catalogue with the lists' counts (`CATALOGUE_SCHEMA`)."""
    path = run.path(CATALOGUE)
    items = pq.read_table(made.log.items, columns=[ITEM_ID, TITLE, CATEGORY, IMAGE_URL, AVAILABLE])
    ids = items[ITEM_ID].combine_chunks()
    exposure, at = evidence.exposure, positions_of(ids, evidence.ids)
    firsts = exposure.items[exposure.offsets[:-1][exposure.lengths > 0]]
    own = positions_of(ids, found.ids)
    columns = {
        "is_new": _flags(found.new, own),
        "is_cold": _flags(found.cold, own),
        "n_lists": exposure.counts[at],
        "n_first": np.bincount(firsts, minlength=exposure.n_items)[at],
        "n_lists_before": _before(run, ids),
        "n_events": _recent_events(run, made.log.events, ids),
    }
    for name, values in columns.items():
        items = items.append_column(name, pa.array(values))
    write_table(path, items.sort_by(ITEM_ID).select(CATALOGUE_SCHEMA.names).cast(CATALOGUE_SCHEMA))
    return path


def catalogue_before(run: Run) -> Path | None:
    """Return the file of the generation before: the newest that passed its gates; if it has one."""
    earlier = [
        each
        for each in saved_runs(run.root, run.namespace)
        if each.run.generation < run.generation and each.passed
    ]
    if not earlier:
        return None
    last = max(earlier, key=lambda each: each.run.generation)
    path = last.folder / run.part / CATALOGUE
    return path if path.is_file() else None


def _before(run: Run, ids: pa.StringArray) -> pa.Array:
    """Return the lists of the generation before that show each item; nulls without its file."""
    path = catalogue_before(run)
    if path is None:
        return pa.nulls(len(ids), pa.int64())
    before = pq.read_table(path, columns=[ITEM_ID, "n_lists"])
    rows = pc.index_in(ids, value_set=before[ITEM_ID].combine_chunks())
    return pc.fill_null(before["n_lists"].combine_chunks().take(rows), 0)


def _recent_events(run: Run, events: Path, ids: pa.StringArray) -> Ints:
    """Return the events of each item in the last `RECENT_DAYS`."""
    since = run.as_of - timedelta(days=RECENT_DAYS)
    with connect(run.folder) as db:
        db.read_parquet(one_file(events)).create_view("events")
        counted = db.sql(
            query("evaluation/recent_counts"), params={"since": since}
        ).to_arrow_table()
    counted = counted.filter(pc.is_valid(counted[ITEM_ID]))
    rows = positions_of(ids, counted[ITEM_ID].combine_chunks())
    counts = np.append(counted["n"].to_numpy(), 0)  # position -1 is the last: no event
    found: Ints = counts[rows]
    return found


def _flags(flags: Bools, rows: Ints) -> Bools:
    """Return the flags at `rows`, false where a row is -1."""
    found: Bools = np.append(flags, False)[rows]
    return found
