"""Figures of a compressed day, from the collected log, the watch and the readout; their table."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import duckdb
from redis import Redis
from rich.console import Console
from rich.table import Table

from local_system.configs import EXPERIMENT
from local_system.settings import NAMESPACE, UpSettings
from nightshelf.admin.incidents import incidents

#: Grain: one row. A page is a visit; its events have one beginning of their ids.
_DAY = """
WITH day AS (
    SELECT DISTINCT event_id, event_type, coalesce(model, 'popular') <> 'popular' AS own,
        split_part(event_id, '-', 1) || split_part(event_id, '-', 2) AS page
    FROM read_parquet($files, union_by_name = true, hive_partitioning = false)
)
SELECT
    count(*) AS events,
    count(DISTINCT page) AS visits,
    count(*) FILTER (event_type = 'impression' AND own) AS own_shown,
    count(*) FILTER (event_type = 'click' AND own) AS own_clicks,
    count(*) FILTER (event_type = 'impression' AND NOT own) AS popular_shown,
    count(*) FILTER (event_type = 'click' AND NOT own) AS popular_clicks,
    count(DISTINCT page) FILTER (event_type = 'click') AS hits,
    count(DISTINCT page) FILTER (event_type = 'impression') AS pages,
    count(*) FILTER (event_type = 'purchase') AS purchases
FROM day
"""
_LEGEND = (
    "CTR: clicks an impression, of lists of a user's own and of popular lists (the experiment's "
    "control,\nnewcomers). Hit rate: pages with a click. Alerts of the night after the day. "
    f"Experiment: {EXPERIMENT} as of the day's end."
)


@dataclass(frozen=True)
class DayFigures:
    """Figures of one day; rates are shares, `None` where nothing was shown.

    `opened` and `closed` are incidents of the watch in the night after the day, `lift` is the
    experiment's, relative to popularity, and `outcome` its verdict so far.
    """

    day: date
    visits: int
    events: int
    own_ctr: float | None
    popular_ctr: float | None
    hit_rate: float | None
    purchases: int
    opened: int
    closed: int
    outcome: str
    lift: float | None


def figures_of(up: UpSettings, redis: Redis, day: date) -> DayFigures:
    """Return the figures of a day whose night is over."""
    files = [str(file) for file in sorted((up.events / f"date={day}").glob("[!._]*.parquet"))]
    with duckdb.connect() as database:
        relation = database.execute(_DAY, {"files": files})
        names = [column[0] for column in relation.description]
        n = dict(zip(names, relation.fetchone() or (), strict=True))
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    night = (begin.isoformat(), (begin + timedelta(days=1)).isoformat())
    found = incidents(redis, NAMESPACE)
    outcome, lift = _verdict(up)
    return DayFigures(
        day=day,
        visits=n["visits"],
        events=n["events"],
        own_ctr=_share(n["own_clicks"], n["own_shown"]),
        popular_ctr=_share(n["popular_clicks"], n["popular_shown"]),
        hit_rate=_share(n["hits"], n["pages"]),
        purchases=n["purchases"],
        opened=sum(night[0] <= each.since < night[1] for each in found),
        closed=sum(night[0] <= (each.ended or "") < night[1] for each in found),
        outcome=outcome,
        lift=lift,
    )


def table_text(days: list[DayFigures]) -> str:
    """Return the table of the days, with its legend."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("day")
    for name in ("visits", "purchases", "CTR own", "CTR popular", "hit rate", "alerts"):
        table.add_column(name, justify="right")
    table.add_column("experiment")
    for each in days:
        rates = map(_percent, (each.own_ctr, each.popular_ctr, each.hit_rate))
        alerts = f"{each.opened} opened, {each.closed} closed" if each.opened else "-"
        lift = f" ({100 * each.lift:+.0f} %)" if each.lift is not None else ""
        counts = (f"{each.visits:,}", f"{each.purchases:,}")
        table.add_row(str(each.day), *counts, *rates, alerts, each.outcome + lift)
    text = StringIO()
    Console(file=text, width=120).print(table)
    return f"\n{text.getvalue()}\n{_LEGEND}\n"


def _verdict(up: UpSettings) -> tuple[str, float | None]:
    """Return the experiment's outcome and lift, as last read out."""
    path = up.runs / NAMESPACE / "experiments" / f"{EXPERIMENT}.json"
    if not path.exists():
        return "not read out", None
    found = json.loads(path.read_bytes())
    outcome = next((each["outcome"] for each in found["verdicts"]), "no verdict")
    primary = (each for each in found["figures"] if each["role"] == "primary")
    lift = next((each["plain"]["lift"] for each in primary), None)
    return outcome, lift


def _share(n: int, total: int) -> float | None:
    return n / total if total else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
