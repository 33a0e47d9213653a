"""Users' last views against their definition, in any order of the views."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.features._jit.top import NO_VIEW, recent
from tasks.features.lengths import RECENT

N_ITEMS = 40

views = st.lists(st.tuples(st.integers(0, N_ITEMS - 1), st.integers(-5, 30)), max_size=100)


def defined(seen: list[tuple[int, int]]) -> list[int]:
    latest: dict[int, int] = {}
    for item, at_us in seen:
        latest[item] = max(at_us, latest.get(item, at_us))
    return sorted(latest, key=lambda item: (-latest[item], item))[:RECENT]


@given(views)
def test_any_views_of_any_items(seen: list[tuple[int, int]]) -> None:
    row, row_us = np.full(RECENT, 7, np.int32), np.full(RECENT, 99, np.int64)  # of somebody else
    latest_us = np.full(N_ITEMS, NO_VIEW)
    for item, at_us in seen:
        latest_us[item] = max(latest_us[item], at_us)
    recent(np.arange(N_ITEMS, dtype=np.int32), latest_us, row, row_us)
    assert row.tolist() == defined(seen) + [-1] * (RECENT - len(defined(seen)))
