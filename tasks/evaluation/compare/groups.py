"""Groups of judged users: by the items that they are known for, and by segment."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts.records import Features
from tasks.io.columns import SEGMENT, USER_ID
from tasks.models.history import BUCKETS, bucket_of

Bools = npt.NDArray[np.bool_]

#: Segments that are judged by themselves, the largest first; the others are one group.
N_SEGMENTS = 12


def by_history(n_items: npt.NDArray[np.integer]) -> dict[str, Bools]:
    """Return each bucket's users, by the different items that each user is known for.

    >>> {name: flags.tolist() for name, flags in by_history(np.array([0, 4, 99])).items()}["3-5"]
    [False, True, False]
    """
    buckets = bucket_of(n_items)
    return {name: buckets == number for number, name in enumerate(BUCKETS)}


def by_segment(features: Features, user_ids: pa.StringArray) -> dict[str, Bools]:
    """Return the users of each segment; nothing where no user has one."""
    table = pq.read_table(features.users, columns=[USER_ID, SEGMENT]).combine_chunks()
    rows = pc.index_in(user_ids, table.column(USER_ID).combine_chunks())
    segments = table.column(SEGMENT).combine_chunks().take(rows)
    counts = {
        row["values"]: row["counts"] for row in pc.value_counts(segments.drop_null()).to_pylist()
    }
    largest = sorted(counts, key=lambda name: (-counts[name], name))[:N_SEGMENTS]
    found = {name: _flags(pc.equal(segments, name)) for name in largest}
    if len(counts) > len(found):
        others = pc.invert(pc.is_in(segments, value_set=pa.array(largest)))
        found["others"] = _flags(pc.and_(pc.is_valid(segments), others))
    if found and segments.null_count:
        found["no segment"] = _flags(pc.is_null(segments))
    return found


def _flags(column: pa.Array) -> Bools:
    return np.array(pc.fill_null(column, False).to_numpy(zero_copy_only=False), np.bool_)
