"""Items in blocks whose best score for a user is known before any score is computed.

For a unit vector d, x and y split into what lies along d and what is left, and by Cauchy and
Schwarz x'y <= (x'd)(y'd) + |x - (x'd) d| |y - (y'd) d|. ALS leaves the items leaning to one common
side, popularity, so this bound is far tighter than |x||y|, which it becomes for d = 0.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.kernel import Double, Flags, Positions, Single

#: Items of the first block, which sets the thresholds, and of the others.
_HEAD_ITEMS, _BLOCK_ITEMS = 1024, 256
#: Items of about one norm, among which those of about one direction stand together.
_STRIP_ITEMS = 2048
#: Beyond this a float32 product may overflow.
_ROUGH_LIMIT = 1e38


class Stock(NamedTuple):
    """The available items, block by block: block b is `starts[b]:starts[b + 1]`.

    - `items` (m x k), `ids` (m), `categories` (m): factors, position in the model, category.
    - `place` (all items): the inverse of `ids`, -1 where an item is not available.
    - `direction` (k): d; `least`, `most` (blocks): the range of y'd; `aside` (blocks): the largest
      remainder; `longest`: the largest norm of all.
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
    longest: float


class Crowd(NamedTuple):
    """A block of users: factors (u x k), parts along and aside of the direction, what they saw.

    `margin` (u) bounds |rough - exact| of any score and the rounding of any bound; `reach` (u) is
    |x| times the largest norm of an item, infinite where float32 may overflow. User u has seen the
    places `seen[seen_from[u]:seen_from[u + 1]]`.
    """

    factors: Single
    along: Double
    aside: Double
    reach: Double
    margin: Double
    seen_from: npt.NDArray[np.int64]
    seen: npt.NDArray[np.int32]


def arrange(items: Single, categories: Positions, available: Flags) -> Stock:
    """Put the available items in blocks, the longest first, ties by position."""
    ids = np.flatnonzero(available).astype(np.int32)
    wide = items[ids].astype(np.float64)
    total = wide.sum(axis=0)
    direction = total / max(float(np.linalg.norm(total)), np.finfo(np.float64).tiny)
    along, aside = split(wide, direction)
    norms = np.linalg.norm(wide, axis=1)
    leaning = np.divide(along, norms, out=np.zeros_like(along), where=norms > 0)
    by_norm = np.argsort(-norms, kind="stable")
    strips = np.maximum(np.arange(len(ids)) - _HEAD_ITEMS, -1) // _STRIP_ITEMS
    order = by_norm[np.lexsort((np.where(strips < 0, 0, -leaning[by_norm]), strips))]
    starts = np.unique([0, *range(_HEAD_ITEMS, len(ids), _BLOCK_ITEMS), len(ids)])
    ids, along, aside = ids[order], along[order], aside[order]
    place = np.full(len(items), -1, np.int32)
    place[ids] = np.arange(len(ids), dtype=np.int32)
    blocks = starts[:-1]
    return Stock(
        items=np.ascontiguousarray(items[ids]),
        ids=ids,
        categories=categories[ids].astype(np.int32),
        place=place,
        starts=starts.astype(np.int64),
        direction=direction,
        least=np.minimum.reduceat(along, blocks) if len(ids) else along,
        most=np.maximum.reduceat(along, blocks) if len(ids) else along,
        aside=np.maximum.reduceat(aside, blocks) if len(ids) else aside,
        longest=float(norms.max(initial=0.0)),
    )


def gather(users: Single, seen: sp.csr_matrix, stock: Stock, first: int, size: int) -> Crowd:
    """Prepare users first, first + 1, ..., at most `size` of them."""
    factors = np.ascontiguousarray(users[first : first + size])
    wide = factors.astype(np.float64)
    along, aside = split(wide, stock.direction)
    reach = np.linalg.norm(wide, axis=1) * stock.longest
    spans = seen.indptr[first : first + len(factors) + 1].astype(np.int64)
    return Crowd(
        factors=factors,
        along=along,
        aside=aside,
        reach=np.where(reach < _ROUGH_LIMIT, reach, np.inf),
        margin=rounding(factors.shape[1], reach),
        seen_from=spans - spans[0],
        seen=stock.place[seen.indices[spans[0] : spans[-1]]],
    )


def split(wide: Double, direction: Double) -> tuple[Double, Double]:
    """Return each row's part along the direction, and the norm of what is left (float64)."""
    along = wide @ direction
    return along, np.linalg.norm(wide - along[:, None] * direction, axis=1)


def rounding(n_factors: int, reach: Double) -> Double:
    """Bound how far a float32 product, in any order of summation, may lie from the exact score.

    Higham, Accuracy and Stability of Numerical Algorithms, 3.5: |error| <= k u / (1 - k u) |x||y|.
    Twice that and a little, for the rounding of thresholds and bounds themselves, and 1e-30 for
    products too small for float32.
    """
    return (2 * n_factors + 4) * 2.0**-24 * reach + 1e-30
