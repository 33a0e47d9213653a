"""Evaluation protocols: a clean log divided into a part to learn from and a part to judge by.

- By time: the last days are held out, for all users at once. Relevant are the items that a user
  took to in them and had not seen before. No model knows a later event: the protocol that decides.
- Last event: of each judged user the newest item is held out, with all that the user did
  afterwards; other users' later events are learnt from, which flatters models of what is popular
  now (Ji and others, 2020). Judged are users with two different items at least.

A bounded sample of users is judged, chosen by a hash of the id: the same in each run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.artifacts.records import CleanLog
from tasks.evaluation.past_run import log_until
from tasks.features.build import open_log
from tasks.features.settings import FeatureSettings
from tasks.ingest.daily_log import write_log
from tasks.io.columns import ITEM_ID, USER_ID, positions_of
from tasks.io.duckdb_session import connect, one_file, query, stream
from tasks.runs.run_folder import Run

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """A clean log divided by a protocol.

    - `run`: the smaller night to learn in; its `as_of` is the end of the known part.
    - `known`: the part to learn from.
    - `user_ids`: the judged users, ascending.
    - `rows`, `item_ids`: the relevant items: position of the user in `user_ids`, id of the item;
      each user has one at least, each item once.
    """

    run: Run
    known: CleanLog
    user_ids: pa.StringArray
    rows: Ints
    item_ids: pa.StringArray

    @property
    def n_relevant(self) -> Ints:
        """Relevant items of each judged user, 1 at least."""
        return np.bincount(self.rows, minlength=len(self.user_ids))


def by_time(run: Run, log: CleanLog, weighing: FeatureSettings, days: int, n_users: int) -> Split:
    """Hold out the last `days` before `run.as_of`, and judge `n_users` at most."""
    past = night_before(run, days)
    return split_at(past, log, taken_after(past, log, weighing, n_users))


def night_before(run: Run, days: int) -> Run:
    """Return the smaller night that ends `days` before `run.as_of`."""
    return run.inside("by_time", run.as_of - timedelta(days=days))


def taken_after(past: Run, log: CleanLog, weighing: FeatureSettings, n_users: int) -> pa.Table:
    """Return what `n_users` at most took to after `past.as_of` and had not seen (user and item)."""
    parameters = {"cut": past.as_of, "seen": list(weighing.seen), "n_users": n_users}
    with connect(past.folder) as db:
        open_log(db, log, weighing)
        return _rows_of(db, "taken_after", parameters)


def split_at(past: Run, log: CleanLog, taken: pa.Table) -> Split:
    """Divide a log at `past.as_of`, to judge by what was `taken_after` that."""
    return _split(past, log_until(past, log), taken)


def last_event(
    run: Run,
    log: CleanLog,
    weighing: FeatureSettings,
    n_users: int,
    others: pa.StringArray | None = None,
) -> Split:
    """Hold out the newest item of each of `n_users` at most, none of them among `others`."""
    inner = run.inside("last_event", run.as_of)
    events = inner.path("log/events.parquet")
    with connect(inner.folder) as db:
        open_log(db, log, weighing)
        passed_over = pa.array([], pa.string()) if others is None else others
        db.from_arrow(pa.table({USER_ID: passed_over})).create("others")
        last = _rows_of(db, "last_items", {"n_users": n_users})
        db.from_arrow(last).create("last_items")
        rest = stream(db, query("evaluation/events_but_last"), {})
        n_events = write_log(events, rest.schema, rest)
        kinds = db.execute(query("ingest/count_event_types"), {"path": one_file(events)}).fetchall()
    known = replace(log, events=events, n_events=n_events, event_types=dict(kinds))
    return _split(inner, known, last)


def _rows_of(db: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, Any]) -> pa.Table:
    rows = stream(db, query(f"evaluation/{name}"), parameters)
    return rows.read_all().combine_chunks()


def _split(run: Run, known: CleanLog, relevant: pa.Table) -> Split:
    """Number the users of `relevant` (user_id, item_id), which come in order of their ids."""
    users, items = (
        pa.concat_arrays([pa.array([], pa.string()), *relevant[name].chunks])
        for name in (USER_ID, ITEM_ID)
    )
    user_ids = users.unique()
    return Split(run, known, user_ids, positions_of(users, user_ids).astype(np.int64), items)
