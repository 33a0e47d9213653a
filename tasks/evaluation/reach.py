"""Lengths of lists against the possible, and the share of users that have one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.evaluation.list_metrics import Bools, Ints
from tasks.evaluation.served_lists import Evidence


@dataclass(frozen=True)
class Lengths:
    """Lengths of the personal lists, in items.

    - `shortest`, `median` (the lower of two), `longest`: 0 where there is no list.
    - `n_fillable`: lists whose user has as many candidates as a list has places, or more.
    - `full_of_fillable`: share of those that are full, 0 to 1; none where there are none.
    - `filled`: mean share of the places filled, of those that the candidates could fill, 0 to 1;
      none where there is no list.
    """

    shortest: int
    median: int
    longest: int
    n_fillable: int
    full_of_fillable: float | None
    filled: float | None


def lengths_of(lengths: Ints, candidates: Ints, n: int) -> Lengths:
    """Judge lists of up to `n` places by their lengths and by how many candidates each had.

    A candidate is an available item with factors that the user has not seen: the cap of the
    categories is what may leave places empty. Empty lists are none.

    >>> lengths_of(np.array([50, 3, 6]), np.array([900, 900, 12]), n=50)  # doctest: +ELLIPSIS
    Lengths(shortest=3, median=6, longest=50, n_fillable=2, full_of_fillable=0.5, filled=0.5...)
    """
    own = lengths > 0
    lengths, candidates = np.sort(lengths[own]), candidates[own][np.argsort(lengths[own])]
    if not len(lengths):
        return Lengths(0, 0, 0, 0, None, None)
    fillable = candidates >= n
    n_fillable = int(np.count_nonzero(fillable))
    n_full = int(np.count_nonzero(lengths[fillable] >= n))
    most = np.maximum(np.minimum(candidates, n), lengths)
    return Lengths(
        shortest=int(lengths[0]),
        median=int(lengths[(len(lengths) - 1) // 2]),
        longest=int(lengths[-1]),
        n_fillable=n_fillable,
        full_of_fillable=n_full / n_fillable if n_fillable else None,
        filled=float(np.mean(lengths / most)),
    )


def count_candidates(evidence: Evidence, modelled: Bools) -> Ints:
    """Count each list's candidates: available items of the model that its user has not seen."""
    walked = evidence.available & modelled
    gone = (evidence.seen != 0).astype(np.int64) @ walked.astype(np.int64)
    of_users = np.append(np.count_nonzero(walked) - gone, np.count_nonzero(walked))
    return np.asarray(of_users[evidence.users])  # -1, a stranger, has seen nothing


def count_in_log(user_features: Path, as_of: datetime, active_within_days: int | None) -> int:
    """Count the users with an event, within so many days before `as_of` where they are given."""
    last_seen = pq.read_table(user_features, columns=["last_seen"]).column("last_seen")
    if active_within_days is None:
        return int(len(last_seen) - last_seen.null_count)
    since = (as_of - timedelta(days=active_within_days)).replace(tzinfo=None)
    stamp = pa.timestamp("us")
    recent = pc.sum(pc.greater_equal(last_seen.cast(stamp), pa.scalar(since, stamp)))
    return int(recent.as_py() or 0)
