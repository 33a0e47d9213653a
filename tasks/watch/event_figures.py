"""Figures of the collected event log's last hours: click-through rate and purchases a click."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from tasks.io.duckdb_session import connect, one_file, query
from tasks.watch.figures import Figure, share, unknown

NAMES = ("ctr", "conversion")


def event_figures(
    events_dir: Path | None, hours: float, purchases: Sequence[str], now: datetime
) -> dict[str, Figure]:
    """Return the figures of the `hours` before `now`; unknown where the log cannot be read."""
    if events_dir is None:
        return unknown(NAMES, "no event log is named (--events-dir)")
    since = now - timedelta(hours=hours)
    files = _files(events_dir, since, now)
    if not files:
        return unknown(NAMES, f"{events_dir} has no events of the last {hours:g} h")
    parameters = {
        "files": [one_file(file) for file in files],
        "purchases": list(purchases),
        "since": since,
        "until": now,
    }
    try:
        with TemporaryDirectory(prefix="nightshelf-watch-") as spill, connect(Path(spill)) as db:
            row = db.execute(query("watch/recent_counts"), parameters).fetchone()
    except duckdb.Error as error:
        return unknown(NAMES, f"{events_dir} cannot be read: {str(error).splitlines()[0]}")
    n_shown, n_clicks, n_bought = row or (0, 0, 0)
    last = f"in the last {hours:g} h"
    return {
        "ctr": share(n_clicks, n_shown, f"of {n_shown:,} impressions {last}", now),
        "conversion": share(n_bought, n_clicks, f"of {n_clicks:,} clicks {last}", now),
    }


def _files(events_dir: Path, since: datetime, until: datetime) -> list[Path]:
    """Return the finished files of the window's dates; files being written have another name."""
    days = (until.date() - since.date()).days
    dates = [since.date() + timedelta(days=number) for number in range(days + 1)]
    found = (file for date in dates for file in (events_dir / f"date={date}").glob("*.parquet"))
    return sorted(file for file in found if file.name[0] not in "._")
