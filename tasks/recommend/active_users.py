"""Active users: those with a recent event; the others get no list of their own."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.io.columns import USER_ID


def active_rows(
    user_features: Path, user_ids: pa.StringArray, as_of: datetime, days: int
) -> npt.NDArray[np.int64]:
    """Return the positions of those `user_ids` who have an event in the `days` before `as_of`."""
    table = pq.read_table(user_features, columns=[USER_ID, "last_seen"])
    rows = pc.index_in(user_ids, table.column(USER_ID).combine_chunks())
    last_seen = table.column("last_seen").combine_chunks().take(rows)
    since = (as_of - timedelta(days=days)).replace(tzinfo=None)
    recent = pc.greater_equal(
        last_seen.cast(pa.timestamp("us")), pa.scalar(since, pa.timestamp("us"))
    )
    return np.flatnonzero(pc.fill_null(recent, False).to_numpy(zero_copy_only=False))
