"""Clean log to matrix and feature rows, against the bare aggregations in DuckDB.

- ours: `build_features` of a first night, from events.parquet, items.parquet and users.parquet to
  all of its files, and to the rollups of each day that later nights find;
- bare: one statement that adds up the decayed weights by user and item, in floats, fetched as
  Arrow. Nothing else: no order, no ids, no matrix, no file;
- bare, all outputs: that one, and a statement each for what has been seen, the users' activity,
  recent views and favourite categories, and the items' popularity and ratings, all fetched.

Same log, same number of threads, a fresh database each time. Each round runs all, one after
another; seconds are medians over the rounds. Logs: a generated one with a long tail, and a real one
where it is at hand (NIGHTSHELF_REAL_DATA, or ../shared/data). The last line is the time of all
outputs over ours, on the generated log; the line before it is that of the sums alone.
"""

import os
import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks._log import AS_OF, LogSize, make_log
from data.importers.online_retail import import_online_retail
from tasks.artifacts.records import CleanLog
from tasks.features.build import build_features, open_log
from tasks.features.settings import FeatureSettings
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.io.duckdb_session import connect
from tasks.runs.run_folder import Run
from tasks.settings import Settings

_REAL = "online-retail/online_retail.csv.gz"
_SETTINGS = FeatureSettings()

#: The bare statement, and those of the other outputs; `pairs` is what the first one gave.
PAIRS = """
    SELECT user_id, item_id,
        sum(weight * pow(0.5, date_diff('day', ts, $as_of::TIMESTAMP) / $half_life_days))
            AS strength
    FROM events JOIN weights USING (event_type)
    WHERE weight <> 0
    GROUP BY user_id, item_id
"""
OTHERS: Mapping[str, str] = {
    "seen": """
        SELECT DISTINCT user_id, item_id FROM events WHERE list_contains($seen, event_type)
    """,
    "activity": """
        SELECT user_id, count(*), count(*) FILTER (event_type = 'purchase'), min(ts), max(ts),
            avg(value) FILTER (list_contains($rating_types, event_type))
        FROM events GROUP BY user_id
    """,
    "recent views": """
        SELECT user_id, max_by(item_id, viewed_at, 20) FROM (
            SELECT user_id, item_id, max(ts) AS viewed_at
            FROM events WHERE list_contains($view_types, event_type)
            GROUP BY user_id, item_id
        ) GROUP BY user_id
    """,
    "favourites": """
        SELECT user_id, max_by(category, strength, 3) FROM (
            SELECT user_id, category, sum(strength) AS strength
            FROM pairs JOIN items USING (item_id)
            GROUP BY user_id, category
        ) WHERE strength > 0 GROUP BY user_id
    """,
    "popularity": "SELECT item_id, sum(strength) FROM pairs GROUP BY item_id",
    "ratings": """
        SELECT item_id, min(ts),
            count(value) FILTER (list_contains($rating_types, event_type)),
            avg(value) FILTER (list_contains($rating_types, event_type))
        FROM events GROUP BY item_id
    """,
}


def main(
    users: Annotated[int, typer.Option(help="Users of the generated log.")] = 100_000,
    items: Annotated[int, typer.Option(help="Items of the generated log.")] = 20_000,
    events: Annotated[int, typer.Option(help="Events of the generated log.")] = 5_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds, each of all contestants.")] = 5,
) -> None:
    """Time all contestants on each log, and print the ratios."""
    source = Path(os.environ.get("NIGHTSHELF_REAL_DATA", "../shared/data")) / _REAL
    with TemporaryDirectory() as name:
        folder = Path(name)
        if source.exists():
            real = import_online_retail(source, folder / "real")
            as_of = datetime.combine(real.as_of, datetime.min.time(), UTC)
            compare("online-retail", (real.events, real.items, real.users), as_of, rounds)
        else:
            print(f"{source}: not found")
        size = LogSize(users, items, events)
        log = make_log(folder / "made", size)
        alone, together = compare(str(size), (log.events, log.items, log.users), AS_OF, rounds)
    print(f"the sums alone: {alone:.2f}")
    print(f"ratio: {together:.2f}")


def compare(
    name: str, files: tuple[Path, Path, Path | None], as_of: datetime, rounds: int
) -> tuple[float, float]:
    """Print each contestant's seconds; return the ratios of the bare one and of all outputs."""
    settings = Settings()
    root = files[0].parent / "runs"
    run = Run("benchmark", 1, as_of, root)
    log = clean_events(run, check_inputs(*files, settings.inputs), settings.events, now=as_of)
    bare: list[dict[str, float]] = []
    ours: list[float] = []
    for number in range(2, rounds + 2):
        bare.append(aggregate(run, log))
        started = time.perf_counter()
        night = Run("benchmark", number, as_of, root / str(number))  # with no rollups beside it
        built = build_features(night, log, _SETTINGS)
        ours.append(time.perf_counter() - started)
    print(f"{name}: {log.n_events:,} events, {built.n_interactions:,} interactions")
    mine = statistics.median(ours)
    alone = statistics.median(each["pairs"] for each in bare)
    together = statistics.median(sum(each.values()) for each in bare)
    for who, seconds in (("ours", mine), ("bare", alone), ("bare, all outputs", together)):
        print(f"  {who:18}{seconds:>8.3f} s{seconds / mine:>8.2f} x")
    parts = {part: statistics.median(each[part] for each in bare) for part in bare[0]}
    print("  of which " + ", ".join(f"{part} {seconds:.3f}" for part, seconds in parts.items()))
    return alone / mine, together / mine


def aggregate(run: Run, log: CleanLog) -> dict[str, float]:
    """Run the bare statements, and return the seconds of each."""
    known = {
        "as_of": run.as_of,
        "half_life_days": _SETTINGS.half_life_days,
        "seen": list(_SETTINGS.seen),
        "rating_types": list(_SETTINGS.rating_types),
        "view_types": list(_SETTINGS.view_types),
    }
    seconds = {}
    with connect(run.folder) as db:
        open_log(db, log, _SETTINGS)
        for part, sql in {"pairs": PAIRS, **OTHERS}.items():
            used = {key: value for key, value in known.items() if f"${key}" in sql}
            started = time.perf_counter()
            table = db.sql(sql, params=used).to_arrow_table()
            seconds[part] = time.perf_counter() - started
            if part == "pairs":  # the others have it at hand
                db.from_arrow(table).create_view("pairs")
    return seconds


if __name__ == "__main__":
    typer.run(main)
