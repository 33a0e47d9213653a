"""Figures of the lists by the users' segment."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts.records import Features
from tasks.evaluation.list_metrics import Floats
from tasks.evaluation.served_lists import Evidence
from tasks.io.columns import ID, SEGMENT, USER_ID, positions_of
from tasks.io.parquet import read_column

#: Segments with a row of their own, the largest; the rest are left out.
MOST_SEGMENTS = 20


def segment_rows(features: Features, evidence: Evidence, entropies: Floats) -> list[dict[str, Any]]:
    """Return a row a segment, the largest first; the segment none holds the users without one.

    `entropies` are those of the lists of two items at least. A row has `segment`, `users`, `lists`,
    `fallback_share` (0 to 1), and `diversity`: the mean entropy, none where no list has any.
    """
    users = pq.read_table(features.users, columns=[USER_ID, SEGMENT])
    named = pc.fill_null(users[SEGMENT].combine_chunks(), "").dictionary_encode()
    segments, names = named.indices.to_numpy(), named.dictionary.to_pylist()
    ids, known = users[USER_ID].combine_chunks(), read_column(features.user_ids, ID)
    own, n = evidence.users >= 0, len(names)
    rows = positions_of(known.take(pa.array(evidence.users[own])), ids)
    of_list = np.full(len(own), n)  # one more: strangers, whom no row is about
    of_list[own] = segments[rows]
    lengths = evidence.exposure.lengths
    measured = of_list[lengths >= 2]
    n_users = np.bincount(segments, minlength=n)
    n_lists = np.bincount(of_list[lengths > 0], minlength=n + 1)
    n_measured = np.bincount(measured, minlength=n + 1)
    sums = np.bincount(measured, entropies, minlength=n + 1)
    order = sorted(range(n), key=lambda at: (-n_users[at], names[at]))
    return [
        {
            "segment": names[at] or None,
            "users": int(n_users[at]),
            "lists": int(n_lists[at]),
            "fallback_share": float(1 - n_lists[at] / n_users[at]),
            "diversity": float(sums[at] / n_measured[at]) if n_measured[at] else None,
        }
        for at in order[:MOST_SEGMENTS]
    ]
