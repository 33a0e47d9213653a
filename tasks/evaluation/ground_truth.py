"""Backtest ground truth: items taken after the cut-off, and the ranks at which the lists held them.

Relevant to a user is each item that the user took to after the cut, by an event of positive weight,
and had not seen by then. Judged are the users with a list and a relevant item at least. What no
list could hold yet (an item that was new, or that nobody had taken to) counts as missed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from tasks.artifacts.records import CleanLog, Made
from tasks.evaluation.ranking_metrics import Hits, Ints
from tasks.features.build import open_log
from tasks.features.settings import FeatureSettings
from tasks.io.duckdb_session import connect, one_file, query
from tasks.runs.run_folder import Run


@dataclass(frozen=True, eq=False)
class Outcome:
    """Relevant items and hits of a past night's lists, users in ascending order of ids.

    - `n_relevant`: (users,), relevant items each.
    - `popularity`: (users x places), hits of the list `all`, less what each user had seen.
    - `own`: the same for each file of the users' own lists that was asked about, by its path.
    """

    n_relevant: Ints
    popularity: Hits
    own: Mapping[Path, Hits]


def outcome(
    run: Run, then: Made, log: CleanLog, weighing: FeatureSettings, *others: Path
) -> Outcome:
    """Compare a past night's lists, and `others` for the same users, with the events since.

    `run` and `then` are of the cut; `log` is tonight's, with what came after it.
    """
    since: dict[str, Any] = {"cut": run.as_of, "seen": list(weighing.seen)}
    with connect(run.folder) as db:
        open_log(db, log, weighing)
        db.read_parquet(one_file(then.own.path)).create_view("own_lists")
        db.execute(f"CREATE TEMP TABLE relevant AS {query('evaluation/relevant')}", since)
        counts = db.execute(query("evaluation/count_relevant")).fetchnumpy()
        n_relevant = np.asarray(counts["n"], np.int64)
        n_users = len(n_relevant)
        popular = {"path": one_file(then.popular.path), **since}
        return Outcome(
            n_relevant=n_relevant,
            popularity=_hits(db, "offered_popular", popular, n_users),
            own={
                path: _hits(db, "offered_lists", {"path": one_file(path)}, n_users)
                for path in (then.own.path, *others)
            },
        )


def _hits(
    db: duckdb.DuckDBPyConnection, offered: str, parameters: dict[str, Any], n_users: int
) -> Hits:
    """Return (users x places), as many places as the last hit needs."""
    sql = f"WITH offered AS ({query(f'evaluation/{offered}')}) {query('evaluation/hits')}"
    cells = db.execute(sql, parameters).fetchnumpy()
    rows, places = (np.asarray(cells[name], np.int64) for name in ("row", "col"))
    hits = np.zeros((n_users, int(places.max(initial=-1)) + 1), np.bool_)
    hits[rows, places] = True
    return hits
