"""The step that counts recent popularity, for the models and the popular lists."""

import pyarrow as pa

from tasks.artifacts.records import CleanLog, Popularity
from tasks.features.build import open_log
from tasks.features.recent_popularity import recent_popularity
from tasks.features.settings import FeatureSettings
from tasks.io.columns import ITEM_ID
from tasks.io.duckdb_session import Relations, connect
from tasks.io.parquet import read_column, write_table
from tasks.runs.journal import computed
from tasks.runs.run_folder import Run


@computed
def count_popularity(
    run: Run, log: CleanLog, half_life_days: float, weighing: FeatureSettings
) -> Popularity:
    """Write the decayed points of every item of the catalogue, by `item_id`."""
    with connect(run.folder) as db:
        open_log(db, log, weighing)
        return popularity_from(db, run, log, half_life_days)


def popularity_from(db: Relations, run: Run, log: CleanLog, half_life_days: float) -> Popularity:
    """Write the points, as `count_popularity` does, from the relations of `open_log`."""
    ids = read_column(log.items, ITEM_ID)
    points = recent_popularity(db, ids, run.as_of, half_life_days)
    path = run.path("features/popularity.parquet")
    write_table(path, pa.table({ITEM_ID: ids, "score": points}))
    return Popularity(path, half_life_days)
