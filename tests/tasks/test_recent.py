"""What users looked at last, against the definition, whatever order the views come in."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tasks.recent import recent_views

N_USERS, N_ITEMS, LENGTH = 3, 40, 20
ITEM_IDS = pa.array([f"i{number:02}" for number in range(N_ITEMS)])

views = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(-5, 30)),
    max_size=200,
)


def defined(seen: list[tuple[int, int, int]], user: int) -> list[str]:
    latest: dict[int, int] = {}
    for who, item, at_us in seen:
        if who == user:
            latest[item] = max(at_us, latest.get(item, at_us))
    best = sorted(latest, key=lambda item: (-latest[item], item))[:LENGTH]
    return [f"i{item:02}" for item in best]


@given(views)
def test_any_views_in_any_order(seen: list[tuple[int, int, int]]) -> None:
    users, items = (np.array([view[at] for view in seen], np.int32) for at in (0, 1))
    at_us = np.array([view[2] for view in seen], np.int64)
    table = recent_views(users, items, at_us, N_USERS, ITEM_IDS)
    assert table.column("user").to_pylist() == list(range(N_USERS))
    assert table.column("recent_views").to_pylist() == [
        defined(seen, user) for user in range(N_USERS)
    ]
