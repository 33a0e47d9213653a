"""The last check before a flip that does not go through bytes: lists as served, against computed.

The digest proves that Redis holds what was encoded; a sample proves that what was encoded is what
was computed.
"""

from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.errors import VerificationError
from tasks.publish.keyspace import Family

#: Lists in all, and how many of them stand side by side: few row groups need to be read.
SAMPLE, _RUN = 200, 50
#: Scores are stored with 6 significant digits.
_RELATIVE = 1e-5


def check_sample(family: Family, served: Path, *, seed: int) -> None:
    """Compare up to `SAMPLE` random lists of a family, as read back, with those computed.

    Raises `VerificationError` for a list that is missing, or differs in items, scores or reasons.
    """
    keys = pq.read_table(family.path, columns=["key"]).column("key").combine_chunks()
    runs = np.arange(0, len(keys), _RUN)
    first = np.sort(np.random.default_rng(seed).permutation(runs)[: SAMPLE // _RUN])
    sample = [keys.slice(at, _RUN).to_pylist() for at in first.tolist()]
    computed, found = (_rows(path, sample) for path in (family.path, served))
    for key in (key for side_by_side in sample for key in side_by_side):
        row = computed[key]
        if key not in found or not _same(row, found[key]):
            raise VerificationError(
                f"the {family.name} of {key} as read back is not the one in {family.path}; the "
                "live generation is untouched. Was the file written again while it was published?"
            )


def _rows(path: Path, sample: list[list[str]]) -> dict[str, dict[str, Any]]:
    """Return the rows of the sampled keys; by ranges, as row groups know theirs."""
    key = pc.field("key")
    wanted = [(key >= min(keys)) & (key <= max(keys)) for keys in sample]
    if not wanted:
        return {}
    rows = pq.read_table(path, filters=reduce(or_, wanted)).to_pylist()
    return {row.pop("key"): row for row in rows}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    ours, theirs = one.pop("scores"), other.pop("scores")
    near = np.shape(ours) == np.shape(theirs) and np.allclose(ours, theirs, rtol=_RELATIVE, atol=0)
    return one == other and near
