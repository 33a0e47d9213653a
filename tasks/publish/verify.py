"""The last check before a flip that does not go through bytes: lists as served, against computed.

The digest proves that Redis holds what was encoded; a sample proves that what was encoded is what
was computed.
"""

import math
from typing import Any

from redis import Redis

from nightshelf.client.core.stored_list import StoredList
from nightshelf.errors import CorruptValue
from tasks.errors import VerificationError
from tasks.publish.connection import MGET_KEYS
from tasks.publish.encode import ranked_list
from tasks.publish.keyspace import Family

#: Lists of a family that are compared.
SAMPLE = 5_000
#: Scores are stored with 6 significant digits.
_RELATIVE = 1e-5


def check_sample(client: Redis, family: Family, *, first: int) -> None:
    """Compare about `SAMPLE` staged lists of a family, decoded as readers do, with those computed.

    They are spread evenly; `first`, from 0 on, says where they begin. Raises `VerificationError`
    for a list that is missing, or differs in items, scores or reasons.
    """
    rows = family.sample(SAMPLE, first)
    for start in range(0, len(rows), MGET_KEYS):
        some = rows[start : start + MGET_KEYS]
        values: list[bytes | None] = client.mget([family.keys.of(row["key"]) for row in some])  # type: ignore[assignment]
        for row, value in zip(some, values, strict=True):
            if value is None or not _same(row, value):
                raise VerificationError(
                    f"the {family.name} of {row['key']} as read back is not the one in "
                    f"{family.path}; the live generation is untouched. Was the file written again "
                    "while it was published?"
                )


def _same(row: dict[str, Any], value: bytes) -> bool:
    try:
        ours, found = ranked_list(row), StoredList.from_json(value)
    except CorruptValue:
        return False
    return (ours.items, ours.reasons) == (found.items, found.reasons) and all(
        math.isclose(one, other, rel_tol=_RELATIVE)
        for one, other in zip(ours.scores, found.scores, strict=True)
    )
