"""Items in blocks whose best score for a user is known before any score is computed.

For a unit vector d, x and y split into what lies along d and what is left, and by Cauchy and
Schwarz x'y <= (x'd)(y'd) + |x - (x'd) d| |y - (y'd) d|. ALS leaves the items leaning to one common
side, popularity, so this bound is far tighter than |x||y|, which it becomes for d = 0.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.io.jit import Double, Flags, Positions, Single
from tasks.recommend._jit.int16_dot import WORD, packed
from tasks.recommend._jit.links import Links, Profiles, links_of, profiles_of
from tasks.recommend._jit.quantize import Numbers, Whole, finest, rounded

#: Items of the first block, which sets the thresholds, and of the others.
_HEAD_ITEMS, _BLOCK_ITEMS = 1024, 256
#: Items of about one norm, among which those of about one direction stand together.
_STRIP_ITEMS = 2048


class ItemIndex(NamedTuple):
    """The available items, block by block: block b is `starts[b]:starts[b + 1]`.

    - `items` (m x k), `ids` (m), `categories` (m): factors, position in the model, category.
    - `place` (all items): the inverse of `ids`, -1 where an item is not available.
    - `direction` (k): d; `least`, `most` (blocks): the range of y'd; `aside` (blocks): the largest
      remainder; `longest` (blocks): the largest norm.
    - `numbers`: the items as whole numbers, block b packed from word `words[b]` on; `units`,
      `errors` (blocks): of all its items, and the largest.
    - `links`: neighbours of all items, as places; for what they reach, `rows` (m x p), the whole
      numbers item by item, and `block_of` (m). Both are empty where the model links no items.
    """

    items: Single
    ids: npt.NDArray[np.int32]
    categories: npt.NDArray[np.int32]
    place: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    direction: Double
    least: Double
    most: Double
    aside: Double
    longest: Double
    numbers: Numbers
    words: npt.NDArray[np.int64]
    units: Double
    errors: Double
    links: Links
    rows: Numbers
    block_of: npt.NDArray[np.int32]


class UserBlock(NamedTuple):
    """A block of users: factors (u x k), the same as whole numbers, what they saw.

    `along`, `aside` (u): parts along and aside of the direction. `margin` (u) is more than float64
    rounds away of any score and any bound. User u has seen the places
    `seen[seen_from[u]:seen_from[u + 1]]`, in order. `profiles` reach items by links.
    """

    factors: Single
    whole: Whole
    along: Double
    aside: Double
    margin: Double
    seen_from: npt.NDArray[np.int64]
    seen: npt.NDArray[np.int32]
    profiles: Profiles


def arrange(
    items: Single,
    categories: Positions,
    available: Flags,
    neighbours: sp.csr_matrix | None = None,
) -> ItemIndex:
    """Put the available items in blocks, the longest first, ties by position."""
    ids = np.flatnonzero(available).astype(np.int32)
    wide = items[ids].astype(np.float64)
    total = wide.sum(axis=0)
    direction = total / max(float(np.linalg.norm(total)), np.finfo(np.float64).tiny)
    along, aside = split(wide, direction)
    norms = np.linalg.norm(wide, axis=1)
    order = _order(norms, along)
    starts = np.unique([0, *range(_HEAD_ITEMS, len(ids), _BLOCK_ITEMS), len(ids)])
    ids, wide, along, norms = ids[order], wide[order], along[order], norms[order]
    place = np.full(len(items), -1, np.int32)
    place[ids] = np.arange(len(ids), dtype=np.int32)
    most = partial(_largest, starts)
    links = links_of(neighbours, place)
    units = finest(most(np.abs(wide).max(axis=1)), items.shape[1])
    sizes = np.diff(starts)
    whole = rounded(wide, np.repeat(units, sizes))
    words = np.concatenate(([0], np.cumsum(-(-sizes // WORD))))
    filled = np.zeros((WORD * words[-1], whole.numbers.shape[1]), np.int16)
    filled[np.arange(len(ids)) + np.repeat(WORD * words[:-1] - starts[:-1], sizes)] = whole.numbers
    return ItemIndex(
        items=np.ascontiguousarray(items[ids]),
        ids=ids,
        categories=categories[ids].astype(np.int32),
        place=place,
        starts=starts.astype(np.int64),
        direction=direction,
        least=-most(-along),
        most=most(along),
        aside=most(aside[order]),
        longest=most(norms),
        numbers=packed(filled),
        words=words.astype(np.int64),
        units=units,
        errors=most(whole.errors),
        links=links,
        rows=whole.numbers if len(links.links) else whole.numbers[:0].copy(),
        block_of=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
    )


def _order(norms: Double, along: Double) -> npt.NDArray[np.intp]:
    """Order items by norm, and beyond the first block each strip by how they lean along d."""
    leaning = np.divide(along, norms, out=np.zeros_like(along), where=norms > 0)
    by_norm = np.argsort(-norms, kind="stable")
    strips = np.maximum(np.arange(len(norms)) - _HEAD_ITEMS, -1) // _STRIP_ITEMS
    return by_norm[np.lexsort((np.where(strips < 0, 0, -leaning[by_norm]), strips))]


def _largest(starts: npt.NDArray[np.int64], values: Double) -> Double:
    """Return the largest value of each block."""
    return np.maximum.reduceat(values, starts[:-1]) if len(values) else values


def gather(
    users: Single,
    seen: sp.csr_matrix,
    index: ItemIndex,
    first: int,
    size: int,
    profiles: sp.csr_matrix | None = None,
) -> UserBlock:
    """Prepare users first, first + 1, ..., at most `size` of them."""
    factors = np.ascontiguousarray(users[first : first + size])
    wide = factors.astype(np.float64)
    along, aside = split(wide, index.direction)
    spans = seen.indptr[first : first + len(factors) + 1].astype(np.int64)
    return UserBlock(
        factors=factors,
        whole=rounded(wide, finest(np.abs(wide).max(axis=1), factors.shape[1])),
        along=along,
        aside=aside,
        margin=rounding(factors.shape[1])
        * np.linalg.norm(wide, axis=1)
        * index.longest.max(initial=0),
        seen_from=spans - spans[0],
        seen=index.place[seen.indices[spans[0] : spans[-1]]],
        profiles=profiles_of(profiles, first, first + len(factors)),
    )


def split(wide: Double, direction: Double) -> tuple[Double, Double]:
    """Return each row's part along the direction, and the norm of what is left (float64)."""
    along = wide @ direction
    return along, np.linalg.norm(wide - along[:, None] * direction, axis=1)


def rounding(n_factors: int) -> float:
    """Return the part of |x||y| that float64 may round away of a score and of its bounds.

    Higham, Accuracy and Stability of Numerical Algorithms, 3.5: a sum of k products is off by at
    most k u / (1 - k u) of |x||y|, in any order. A bound is a few such sums; sixteen are allowed.
    """
    return 16 * (n_factors + 4) * 2.0**-53
