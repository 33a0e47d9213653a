"""Calls of the client: which method, and what it is given by name."""

from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from nightshelf import Filters, Item, Result
from nightshelf.contract.experiment import Assignment
from tests.fuzz.inputs import CURSORS, IDS, SEGMENTS

_COUNTS = st.integers(-1, 200) | st.integers()
_FLOATS = st.floats()
_SOME = st.lists(IDS, max_size=5)
_TUPLES = st.lists(IDS, max_size=3).map(tuple)
_FILTERS = st.builds(
    Filters,
    categories=st.just(("Lamps",)) | _TUPLES,
    not_categories=_TUPLES,
    min_price=st.none() | _FLOATS,
    max_price=st.none() | _FLOATS,
    tags=_TUPLES,
    in_stock=st.booleans(),
)
_RESULTS = st.builds(
    Result,
    items=st.lists(st.builds(Item, IDS, _FLOATS, _TUPLES, st.none()), max_size=3).map(tuple),
    source=st.just("list"),
    generation=st.none() | st.integers(),
    model=st.none() | IDS,
    assignment=st.none()
    | st.builds(Assignment, IDS, st.integers(), IDS, IDS, forced=st.booleans()),
)
_ACTIONS = st.sampled_from(
    ["purchase", "rating", "wishlist_add", "add_to_cart", "profile_update", "view", "buy", "\ud800"]
)
_DETAILS = {
    "generation": st.integers(),
    "model": IDS,
    "experiment": IDS,
    "variant": IDS,
    "position": st.integers(),
    "latency_ms": _FLOATS,
    "event_id": IDS | st.uuids().map(str),
    "at": st.datetimes(timezones=st.just(UTC)),
}
Said = tuple[str, dict[str, Any]]


def _call(
    name: str, given: dict[str, st.SearchStrategy[Any]], more: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Said]:
    return st.tuples(st.just(name), st.fixed_dictionaries(given, optional=more))


_SHOWN = {"n": _COUNTS, "user": IDS, "metadata": st.booleans()}
READS = st.one_of(
    _call(
        "get",
        {"user": IDS},
        {
            "n": _COUNTS,
            "model": IDS,
            "filters": _FILTERS,
            "cursor": CURSORS,
            "metadata": st.booleans(),
            "forced": IDS,
        },
    ),
    _call("get_many", {"users": _SOME}, {"n": _COUNTS}),
    _call("similar", {"item": IDS}, _SHOWN),
    _call("popular", {}, {"segment": SEGMENTS | IDS, **_SHOWN}),
    _call("user_features", {"users": IDS | _SOME}, {}),
    _call("item_features", {"ids": _SOME}, {}),
    _call("experiments", {}, {}),
)
TELLS = st.one_of(
    _call(
        "acted",
        {"user": IDS, "action": _ACTIONS},
        {"item": IDS, "value": _FLOATS, **_DETAILS},
    ),
    _call("clicked", {"user": IDS, "item": IDS}, {"value": _FLOATS, **_DETAILS}),
    _call("shown", {"user": IDS, "result": _RESULTS}, {"first": st.integers(), "variant": IDS}),
)
