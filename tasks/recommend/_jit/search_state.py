"""State and rules of the search for a block of lists."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.io.jit import Double
from tasks.recommend._jit.int16_dot import TEAM, WORD
from tasks.recommend._jit.item_blocks import ItemIndex

#: Candidates kept, as a multiple of the list's length; who needs more is scored in full.
_KEPT_LISTS = 32
#: Candidates that wait to be ranked: two and a half lists' worth, within these limits.
_LEAST_FRESH, _MOST_FRESH = 64, 256

#: The sum of no links. Numbers other than 0 never add up to -0.0, even where they cancel out.
UNTOUCHED = -0.0


class Rules(NamedTuple):
    """Length and diversity of a list; `last_page` is the last that a walk can reach.

    The category numbered `uncapped` has room without end (-1: none has).
    """

    n: int
    page_size: int
    max_per_category: int
    n_categories: int
    uncapped: int
    last_page: int


class SearchState(NamedTuple):
    """State of a search for each user of a block, and its scratch arrays.

    - `fresh` (u x f), `n_fresh` (u): places that passed the threshold, not yet ranked.
    - `kept`, `scores` (u x c), `n_kept` (u): the best so far by exact score, in order.
    - `floor` (u): the exact score at which the list ends so far; `threshold` (u): what a bound must
      reach, the floor less the margin, infinite once the user is to be scored in `full`.
    - `team`, `thresholds`, `hits`, `head`: the users whose products are computed at a time, what
      those must be above, and what comes out.
    - `hidden` (u x words): bits of the places that the scan passes over, seen or scored before;
      `linked` (m): one user's sums over links, `UNTOUCHED` where they reach nothing, and `bits`
      (m), the same memory; `touched` (m + 1): the n places reached, `sums` (m): theirs. All are
      empty where nothing is linked. `bounds` (blocks): of the user's dense part.
    """

    fresh: npt.NDArray[np.int32]
    n_fresh: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int32]
    scores: Double
    n_kept: npt.NDArray[np.int64]
    floor: Double
    threshold: Double
    full: npt.NDArray[np.bool_]
    active: npt.NDArray[np.int64]
    cursor: npt.NDArray[np.int64]
    team: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.int32]
    hits: npt.NDArray[np.uint64]
    head: npt.NDArray[np.int32]
    hidden: npt.NDArray[np.uint64]
    linked: Double
    bits: npt.NDArray[np.int64]
    touched: npt.NDArray[np.int32]
    sums: Double
    bounds: Double
    ids: npt.NDArray[np.int32]
    exact: Double
    order: npt.NDArray[np.int64]
    products: Double
    merged: npt.NDArray[np.int32]
    merged_scores: Double
    page_of: npt.NDArray[np.int64]
    taken: npt.NDArray[np.int64]


def rules_for(
    n: int,
    page_size: int,
    max_per_category: int,
    n_categories: int,
    uncapped: int = -1,
    n_uncapped: int = 0,
) -> Rules:
    """Return the rules of a walk, cut to what the categories leave room for in one page.

    `n_uncapped` items, all that there are, belong to the category `uncapped`.
    """
    room = (n_categories - (uncapped >= 0)) * max_per_category + n_uncapped
    longest = n if room >= page_size else min(n, room)  # page 1 never fills
    last_page = (longest - 1) // page_size
    return Rules(longest, page_size, max_per_category, n_categories, uncapped, last_page)


def open_state(n_users: int, index: ItemIndex, rules: Rules) -> SearchState:
    """Allocate for a block of users, none of whom has a candidate yet."""
    n_fresh = max(_LEAST_FRESH, min(_MOST_FRESH, 5 * rules.n // 2))
    n_kept, n_factors = _KEPT_LISTS * rules.n, index.items.shape[1]
    n_linked = len(index.ids) if len(index.links.links) else 0
    linked = np.full(n_linked, UNTOUCHED)
    return SearchState(
        fresh=np.empty((n_users, n_fresh), np.int32),
        n_fresh=np.zeros(n_users, np.int64),
        kept=np.empty((n_users, n_kept), np.int32),
        scores=np.empty((n_users, n_kept)),
        n_kept=np.zeros(n_users, np.int64),
        floor=np.full(n_users, -np.inf),
        threshold=np.full(n_users, -np.inf),
        full=np.zeros(n_users, np.bool_),
        active=np.empty(n_users, np.int64),
        cursor=np.empty(n_users, np.int64),
        team=np.empty(TEAM, np.int64),
        thresholds=np.empty(TEAM, np.int32),
        hits=np.empty(TEAM, np.uint64),
        head=np.empty((TEAM, WORD * int(index.words[:2][-1])), np.int32),
        hidden=np.zeros((n_users, -(-n_linked // 64)), np.uint64),
        linked=linked,
        bits=linked.view(np.int64),
        touched=np.empty(n_linked + 1, np.int32),
        sums=np.empty(n_linked),
        bounds=np.empty(len(index.starts) - 1),
        ids=np.empty(n_fresh, np.int32),
        exact=np.empty(n_fresh + 7),
        order=np.empty(n_fresh, np.int64),
        products=np.empty((8, n_factors)),
        merged=np.empty(n_fresh + n_kept, np.int32),
        merged_scores=np.empty(n_fresh + n_kept),
        page_of=np.empty(rules.n_categories, np.int64),
        taken=np.empty(rules.n_categories, np.int64),
    )
