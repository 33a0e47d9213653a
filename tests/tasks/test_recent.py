"""What users looked at last, against the definition, whatever order the views come in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.kernel_tally import look
from tasks.tally_types import RECENT

N_ITEMS = 40

views = st.lists(st.tuples(st.integers(0, N_ITEMS - 1), st.integers(-5, 30)), max_size=100)


def defined(seen: list[tuple[int, int]]) -> list[int]:
    latest: dict[int, int] = {}
    for item, at_us in seen:
        latest[item] = max(at_us, latest.get(item, at_us))
    return sorted(latest, key=lambda item: (-latest[item], item))[:RECENT]


@given(views)
def test_any_views_in_any_order(seen: list[tuple[int, int]]) -> None:
    row, row_us = np.full(RECENT, -1, np.int32), np.full(RECENT, 99, np.int64)  # of somebody else
    for item, at_us in seen:
        look(row, row_us, item, at_us)
    found = row.tolist()
    assert found == defined(seen) + [-1] * (RECENT - len(defined(seen)))
