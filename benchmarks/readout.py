"""The readout of an experiment with 5 million exposures, in a process of its own.

A log of two weeks is generated as the collector writes it: a quarter of a million users, each with
a few lists of ten items, their clicks and purchases, and their two weeks before. Timed is
all that `nightshelf experiment readout` does but for its imports: the join, sums, verdicts and
the saved page; its peak memory is that of the process. The last line is 30 seconds over the time.
"""

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import duckdb
import typer

from nightshelf.contract.experiment import Variant
from tasks.experiments.definition import Definition, Metric, WeightedVariant
from tasks.experiments.history import History
from tasks.experiments.history_rows import Phase
from tasks.readout.read_out import Source, read_out
from tasks.readout.records import Readout
from tasks.readout.save import save
from tasks.readout.settings import ReadoutSettings

START = datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = START + timedelta(days=15)
NAMES, MODELS = ("control", "links"), ("als", "ease")
HALVES = ((0, 5_000),), ((5_000, 10_000),)
DEFINITION = Definition(
    id="bench",
    hypothesis="links sell more",
    variants=tuple(
        WeightedVariant(name, model) for name, model in zip(NAMES, ("als", "ease"), strict=True)
    ),
    start=START,
    status="running",
    secondary=(Metric.named("ctr"),),
    guardrails=(Metric.named("revenue"),),
    minimum_detectable_effect=0.05,
)
_LIMIT_S = 30.0
_ITEMS_A_LIST = 10

#: Lists: user, variant, time. A user's variant follows from the number.
_LISTS = """
CREATE TABLE list AS
SELECT
    n, (hash(n, 1) % $users)::BIGINT AS user,
    TIMESTAMP '2026-03-02' + to_microseconds((hash(n, 2) % 1209600000000)::BIGINT) AS utc
FROM range($lists) AS lists(n)
"""
_EVENTS = """
WITH shown AS (
    SELECT user, utc, 'impression' AS event_type, hash(n, place) % 20000 AS item,
        place + 1 AS place, NULL::DOUBLE AS value
    FROM list, range(10) AS places(place)
),
clicked AS (
    SELECT user, utc + INTERVAL 40 SECOND, 'click', item, place, NULL FROM shown
    WHERE hash(user, item, 3) % 1000 < 30 + 10 * (user % 2)
),
bought AS (
    SELECT user, utc + INTERVAL 2 HOUR, 'purchase', hash(n, 4) % 20000, NULL,
        5.0 + (hash(n, 5) % 5000) / 100
    FROM list WHERE hash(n, 6) % 1000 < 20 + 2 * (user % 2)
),
earlier AS (
    SELECT (hash(n, 7) % $users)::BIGINT, TIMESTAMP '2026-02-16'
        + to_microseconds((hash(n, 8) % 1209600000000)::BIGINT),
        CASE WHEN hash(n, 9) % 8 = 0 THEN 'purchase' ELSE 'click' END, hash(n, 10) % 20000, NULL,
        CASE WHEN hash(n, 9) % 8 = 0 THEN 5.0 + (hash(n, 11) % 5000) / 100 END
    FROM range($lists) AS earlier(n)
),
each_event AS (
    FROM shown UNION ALL FROM clicked UNION ALL FROM bought UNION ALL FROM earlier
)
SELECT
    md5(concat_ws(':', event_type, user, item, utc)) AS event_id, 'u' || user AS user_id,
    event_type, utc AT TIME ZONE 'UTC' AS ts, 'i' || item AS item_id, value,
    44::BIGINT AS generation,
    CASE WHEN event_type = 'impression' THEN ['als', 'ease'][user % 2 + 1] END AS model,
    CASE WHEN event_type = 'impression' THEN 'bench' END AS experiment,
    CASE WHEN event_type = 'impression' THEN ['control', 'links'][user % 2 + 1] END AS variant,
    CASE WHEN event_type = 'impression' THEN 1::INTEGER END AS phase, place::INTEGER AS position,
    NULL::DOUBLE AS latency_ms, utc AT TIME ZONE 'UTC' AS arrived_at,
    strftime(utc, '%Y-%m-%d') AS date
FROM each_event
"""


def main(
    exposures: Annotated[int, typer.Option(help="Exposures of the experiment.")] = 5_400_000,
    users: Annotated[int, typer.Option(help="Users of both variants.")] = 250_000,
) -> None:
    """Generate a log, read it out, and print seconds, peak memory and the ratio."""
    with TemporaryDirectory() as name:
        root = Path(name)
        make_log(root / "events", exposures // _ITEMS_A_LIST, users)
        halves = tuple(map(Variant, NAMES, MODELS, HALVES))
        phase = Phase(DEFINITION.id, 1, START, None, ((0, 10_000),), halves)
        History(root, "shop").write_phases([phase])
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            seconds, peak_mb, found = pool.submit(timed, root).result()
    print(f"{found.n_exposures:,} exposures of {sum(found.users.values()):,} users counted")
    for sentence in found.sentences:
        print(sentence)
    print(f"{seconds:.1f} s, peak memory {peak_mb:,.0f} MB")
    print(f"{_LIMIT_S:.0f} s over that: {_LIMIT_S / seconds:.2f}")


def make_log(folder: Path, lists: int, users: int) -> None:
    """Write a log by day."""
    folder.mkdir()
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(_LISTS, {"lists": lists, "users": users})
        database.execute(
            f"COPY ({_EVENTS}) TO '{folder}' (FORMAT parquet, PARTITION_BY (date))",
            {"lists": lists, "users": users},
        )


def timed(root: Path) -> tuple[float, float, Readout]:
    """Read out; return seconds, the process's peak memory in MB, and the readout."""
    source = Source("shop", root / "events", None, root, {"purchase": ("purchase",)}, {})
    began = time.perf_counter()
    found = read_out(DEFINITION, source, ReadoutSettings(), UNTIL)
    save(found, source.history.folder, "shop")
    seconds = time.perf_counter() - began
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, found


if __name__ == "__main__":
    typer.run(main)
