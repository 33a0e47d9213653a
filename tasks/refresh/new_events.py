"""Events tracked since a night: the users who acted, and their whole history."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from nightshelf.contract.keys import QUARTER_S
from tasks.artifacts.records import CleanLog
from tasks.errors import InputError
from tasks.features.build import open_log
from tasks.ingest.daily_log import write_log
from tasks.io.duckdb_session import connect, one_file, query, stream, write_query
from tasks.refresh.served_generation import ServedGeneration, bare_log
from tasks.runs.run_folder import Run

#: Columns of the collected log; one that a file lacks is null.
_COLLECTED = pa.schema(
    [
        *((name, pa.string()) for name in ("event_id", "user_id", "event_type", "item_id")),
        ("ts", pa.timestamp("us", "UTC")),
        ("value", pa.float64()),
        ("arrived_at", pa.timestamp("us", "UTC")),
    ]
)
#: Stands in for all users that were not asked for; no user's id is empty.
NOBODY = ""


@dataclass(frozen=True)
class TrackedEvents:
    """Events after a served generation's night, up to `now`."""

    served: ServedGeneration
    now: datetime
    database: duckdb.DuckDBPyConnection

    def acted(self) -> dict[str, float]:
        """Return users with an event that bears on their list, and its last time (Unix seconds)."""
        return self._users(strangers_only=False)

    def strangers(self) -> dict[str, float]:
        """Return those among them whom the model can fold in and the night did not know."""
        return self._users(strangers_only=True)

    def collected_until(self, users: Collection[str]) -> dict[str, float]:
        """Return the last event's time of each user who has one in the log (Unix seconds)."""
        self._ask_for(users)
        return dict(
            self.database.execute(query("refresh/tracked_until"), {"now": self.now}).fetchall()
        )

    def history(self, users: Collection[str], scratch: Run) -> CleanLog:
        """Write the clean log of some users into a folder of their own: the night's part and ours.

        In it `NOBODY` has taken to every item of the model (`whole_history.sql`).
        """
        self._ask_for(users)
        events, rows = scratch.path("events.parquet"), scratch.path("users.parquet")
        weights = self.served.weighing.weights
        liking = max(weights, key=weights.__getitem__)
        stand_in = {"nobody": NOBODY, "liking": liking, "now": self.now}
        history = stream(self.database, query("refresh/whole_history"), stand_in)
        write_log(events, history.schema, history)
        write_query(self.database, query("refresh/asked_users"), rows, {})
        return bare_log(events, self.served.log.items, rows)

    def items_of(self, users: Collection[str], path: Path) -> None:
        """Write the feature rows of the items that some users acted on, with their `as_of`.

        That is the latest quarter of an hour up to which the log has everything.
        """
        self._ask_for(users)
        times = {"since": self.served.run.as_of, "now": self.now, "quarter_s": QUARTER_S}
        (until,) = self.database.execute(query("refresh/complete_until"), times).fetchall()[0]
        weighing = self.served.weighing
        rule: dict[str, Any] = {
            "half_life_days": weighing.half_life_days,
            "rating_types": [*weighing.rating_types],
        }
        rule |= {"since": self.served.run.as_of, "until": until}
        write_query(self.database, query("refresh/tracked_items"), path, rule)

    def _users(self, *, strangers_only: bool) -> dict[str, float]:
        which: dict[str, Any] = {"strangers_only": strangers_only}
        seen = list(self.served.weighing.seen)
        found = self.database.execute(query("refresh/tracked_users"), which | {"seen": seen})
        return dict(found.fetchall())

    def _ask_for(self, users: Collection[str]) -> None:
        asked = pa.table({"user_id": pa.array(sorted(users), pa.string())})
        self.database.from_arrow(asked).create_view("asked", replace=True)


@contextmanager
def open_tracked(
    served: ServedGeneration, events_dir: Path, now: datetime
) -> Iterator[TrackedEvents]:
    """Read what was collected from the day before the night's `as_of` on.

    Raises `InputError` where there is no such folder, or a file in it cannot be read.
    """
    bounds: Mapping[str, Any] = {
        "since": served.run.as_of,
        "now": now,
        "may_be_negative": list(served.events.may_be_negative),
        "idle": list(served.events.idle),
    }
    with connect(served.run.folder) as database:
        open_log(database, served.log, served.weighing)
        for side in ("item", "user"):
            ids = served.file(f"features/{side}_ids.parquet")
            database.read_parquet(one_file(ids)).create_view(f"model_{side}s")
        items = served.file("features/items.parquet")
        database.read_parquet(one_file(items)).create_view("item_rows")
        database.from_arrow(_COLLECTED.empty_table()).create("nothing")
        files = [one_file(file) for file in _files(events_dir, served.run.as_of)]
        try:
            if files:
                rows = database.read_parquet(files, union_by_name=True, hive_partitioning=False)
                rows.create_view("files")
            else:
                database.table("nothing").create_view("files")
            database.execute(f"CREATE TEMP VIEW collected AS {query('refresh/collected')}")
            database.execute(
                f"CREATE TEMP TABLE tracked AS {query('refresh/tracked')}", dict(bounds)
            )
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException) as e:
            raise InputError(
                f"{events_dir}: a file of the collected log cannot be read: {e}"
            ) from e
        yield TrackedEvents(served, now, database)


def _files(events_dir: Path, since: datetime) -> list[Path]:
    """Return the files of the partitions that can hold what arrived since, in a fixed order."""
    if not events_dir.is_dir():
        raise InputError(f"{events_dir} is no folder: expected date=YYYY-MM-DD/*.parquet in it")
    first = f"date={since - timedelta(days=1):%Y-%m-%d}"
    days = sorted(day for day in events_dir.glob("date=*") if day.name >= first)
    return [file for day in days for file in sorted(day.glob("[!._]*.parquet"))]
