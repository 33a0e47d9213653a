"""List metrics: pure functions over numpy arrays.

Symbols: `L` lists over `n` items; `c[i]` the number of lists that show item i (its exposure);
`h[i]` the number of users who interacted with item i (its popularity); `U` the number of known
users. A list shows an item once. Where there is nothing to measure, a function says 0.0, so that
an empty night misses its targets rather than passes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tasks.evaluation._jit.spread import diversities
from tasks.io.parallel import parallel_map

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Number = np.integer | np.floating

#: Lists that a thread measures at a time.
_BLOCK = 16_384


@dataclass(frozen=True, eq=False)
class Exposure:
    """Lists laid end to end: list k is `items[offsets[k]:offsets[k + 1]]`, best first.

    - `items`: int32, catalogue indices in 0..n_items-1.
    - `offsets`: int64, of length n_lists + 1, from 0 to len(items).

    >>> exposure = Exposure(np.array([2, 0, 2], np.int32), np.array([0, 2, 3]), n_items=4)
    >>> exposure.lengths, exposure.counts
    (array([2, 1]), array([1, 0, 2, 0]))
    """

    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_items: int

    @property
    def n_lists(self) -> int:
        """Lists, the empty ones among them."""
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> Ints:
        """Items a list, of shape (n_lists,)."""
        return np.diff(self.offsets)

    @cached_property
    def counts(self) -> Ints:
        """Lists that show each item, `c`, of shape (n_items,)."""
        return np.bincount(self.items, minlength=self.n_items)

    def block(self, first: int) -> "Exposure":
        """Return up to `_BLOCK` lists from number `first` on."""
        offsets = self.offsets[first : first + _BLOCK + 1]
        return Exposure(self.items[offsets[0] : offsets[-1]], offsets - offsets[0], self.n_items)


def coverage(counts: Ints, available: Bools) -> float:
    """Return the share of the available items that stand in at least one list.

    ``|{i available: c[i] > 0}| / |{i available}|``, in [0, 1]; 0.0 where nothing is available.
    Catalogue coverage of Ge, Delgado-Battenfeld & Jannach, "Beyond accuracy" (RecSys 2010).

    >>> coverage(np.array([3, 0, 1, 0]), np.array([True, True, True, False]))
    0.6666666666666666
    """
    shown = np.count_nonzero(counts[available])
    return _ratio(shown, np.count_nonzero(available))


def category_entropies(exposure: Exposure, categories: Ints, n_categories: int) -> Floats:
    """Return each list's normalised category entropy: 0 one category, 1 as even as possible.

    With s[g] the share of category g in a list of length m::

        -sum_g s[g] log s[g]  /  log min(m, n_categories)

    that is, Shannon's entropy ("A mathematical theory of communication", 1948) over the most that
    a list of its length could have (Pielou's evenness, 1966). `categories` gives each item's
    category as an integer from 0. Lists of fewer than two items are left out, so the result may
    be shorter than the lists; with fewer than two categories every value is 0.

    >>> exposure = Exposure(np.array([0, 1, 0, 2], np.int32), np.array([0, 2, 4]), n_items=3)
    >>> category_entropies(exposure, np.array([0, 0, 1]), n_categories=2).tolist()
    [0.0, 1.0]
    """
    measured = exposure.lengths >= 2
    lengths = exposure.lengths[measured].astype(np.float64)
    if n_categories < 2:
        return np.zeros(len(lengths))
    terms = np.arange(exposure.lengths.max(initial=0) + 1, dtype=np.float64)
    terms[1:] *= np.log(terms[1:])

    def add(first: int) -> Floats:
        block = exposure.block(first)
        counts = _by_category(block, categories, np.ones(len(block.items), np.int32))
        counts.data = terms[counts.data]
        return np.asarray(counts.sum(1))

    entropies = np.log(lengths) - _in_blocks(add, exposure)[measured] / lengths
    # Rounding leaves -1e-16 where the answer is 0, and as much above 1.
    shares: Floats = np.clip(entropies / np.log(np.minimum(lengths, n_categories)), 0.0, 1.0)
    return shares


def intra_list_diversity(exposure: Exposure, factors: Floats) -> float:
    """Return 1 - the mean cosine of a list's pairs of items, averaged over the lists.

    With u the unit vectors of a list's m items, ``|sum u|^2 = m + 2 sum_{a<b} cos(a, b)``, so::

        1 - (|sum u|^2 - m) / (m (m - 1))

    needs no pairs. `factors` has the shape (n_items, n_factors); a row of zeros is an item without
    factors and is left out, as are lists with fewer than two items that have them. In [0, 2]: 0 all
    point the same way, about 1 unrelated, above 1 opposed; 0.0 where no list can be measured.
    Ziegler, McNee, Konstan & Lausen, "Improving recommendation lists through topic
    diversification" (WWW 2005).

    >>> exposure = Exposure(np.array([0, 1], np.int32), np.array([0, 2]), n_items=2)
    >>> intra_list_diversity(exposure, np.array([[2.0, 0.0], [0.0, 1.0]]))
    1.0
    """
    norms = np.linalg.norm(factors, axis=1)
    units = factors / np.where(norms > 0, norms, 1.0)[:, None]

    def measure(first: int) -> Floats:
        block = exposure.block(first)
        out = np.empty(block.n_lists)
        diversities(block.items, block.offsets, units, norms > 0, out)
        return out

    found = _in_blocks(measure, exposure)
    measured = found[~np.isnan(found)]
    return max(0.0, float(measured.mean())) if len(measured) else 0.0


def top_item_share(counts: Ints, n_lists: int) -> float:
    """Return the share of lists that show the item that most lists show, 0 to 1; 0 for no lists.

    `counts` is the number of lists an item stands in, as of `Exposure.counts`.

    >>> top_item_share(np.array([3, 1, 0]), 4)
    0.75
    """
    return float(counts.max(initial=0)) / n_lists if n_lists else 0.0


def personalisation(counts: Ints, n_lists: int) -> float:
    """Return 1 - the mean overlap of two users' lists.

    The overlap of a pair is the number of items that both lists show, over the mean list length;
    an item in c lists is shared by C(c, 2) of the C(L, 2) pairs, so::

        1 - (sum_i C(c[i], 2) / C(L, 2)) / (sum_i c[i] / L)

    takes O(n) and not O(L^2) steps, and holds for lists of unequal lengths: two lists share at
    most the shorter, whose expected length is at most the mean. In [0, 1]: 0 everybody has the
    same list, 1 no two lists share an item; 0.0 with fewer than two lists or none but empty ones.
    Inter-user diversity of Zhou et al., PNAS 107(10), 2010, with the mean length for its fixed N.

    >>> personalisation(np.array([2, 2, 0]), n_lists=2), personalisation(np.array([1, 1]), 2)
    (0.0, 1.0)
    """
    shown = int(counts.sum())
    if n_lists < 2 or shown == 0:
        return 0.0
    wide = counts.astype(np.float64)
    shared = float(np.sum(wide * (wide - 1))) / (n_lists * (n_lists - 1))
    return max(0.0, 1 - shared / (shown / n_lists))


def novelty(counts: Ints, popularity: Ints, n_users: int) -> float:
    """Return the mean self-information of the listed items, in bits.

    ``sum_i c[i] * -log2 p[i] / sum_i c[i]`` with ``p[i] = h[i] / U``; an item that nobody touched
    has ``p = 1 / (U + 1)``, rarer than any that somebody did. In [0, log2(U + 1)]: 0 everybody
    knows everything shown, each bit more halves the number of those who do; 0.0 where the lists
    are empty. Zhou et al. (PNAS 2010); Vargas & Castells, "Rank and relevance in novelty and
    diversity metrics" (RecSys 2011).

    >>> novelty(np.array([1, 1]), popularity=np.array([4, 1]), n_users=4)
    1.0
    """
    shown = counts > 0
    touched = popularity[shown]
    share = np.where(touched > 0, touched / max(n_users, 1), 1 / (n_users + 1))
    return _ratio(float(np.sum(counts[shown] * -np.log2(share))), int(counts.sum()))


def gini(counts: Ints) -> float:
    """Return the Gini coefficient of the lists' places over the items given: 0 equal, to 1.

    With counts in ascending order and ranks k = 1..n: ``sum_k (2k - n - 1) c[k] / (n sum c)``,
    twice the area between the Lorenz curve and the diagonal. In [0, 1 - 1/n]: 0 all are shown as
    often, towards 1 all places go to one item; 0.0 where nothing is shown. Gini (1912), in the
    form of Fleder & Hosanagar, "Blockbuster culture's next rise or fall" (Management Science 2009).

    >>> gini(np.array([5, 5, 5])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    n = len(counts)
    ranks = np.arange(1, n + 1, dtype=np.float64)
    spread = float(np.sum((2 * ranks - n - 1) * np.sort(counts)))
    return _ratio(spread, n * int(counts.sum()))


def lorenz(counts: Ints, n_points: int = 101) -> Floats:
    """Return the Lorenz curve: the share of all places that the least shown x of the items have.

    The values at `n_points` evenly spaced x from 0 to 1 (Lorenz, 1905); the diagonal itself where
    nothing is shown.

    >>> lorenz(np.array([0, 1, 3, 0]), n_points=5).tolist()
    [0.0, 0.0, 0.0, 0.25, 1.0]
    """
    at = np.linspace(0.0, 1.0, n_points)
    if not counts.sum():
        return at
    heights = np.concatenate([[0], np.cumsum(np.sort(counts))]) / counts.sum()
    curve: Floats = np.interp(at, np.linspace(0.0, 1.0, len(heights)), heights)
    return curve


@dataclass(frozen=True)
class ListShares:
    """Shares of the known users, adding up to 1 (all 0.0 where nobody is known)."""

    full: float
    short: float
    fallback: float


def list_shares(lengths: Ints, n_users: int, list_length: int) -> ListShares:
    """Return the shares of known users with a full list, a shorter one, and none of their own.

    `lengths` are those of the users' own lists; an empty list is none. Who has none is served a
    fallback.

    >>> list_shares(np.array([10, 10, 4]), n_users=4, list_length=10)
    ListShares(full=0.5, short=0.25, fallback=0.25)
    """
    full = np.count_nonzero(lengths >= list_length)
    own = np.count_nonzero(lengths > 0)
    return ListShares(
        _ratio(full, n_users), _ratio(own - full, n_users), _ratio(n_users - own, n_users)
    )


def popularity_lift(counts: Ints, popularity: Ints) -> float:
    """Return the mean popularity of listed items over that of the items in users' histories.

    ``(sum_i c[i] h[i] / sum_i c[i]) / (sum_i h[i] h[i] / sum_i h[i])``: above 1 the lists lean on
    hits more than people do, below 1 on the long tail; 0.0 where lists or histories are empty.
    The ratio form of Abdollahpouri et al.'s popularity lift, "The connection between popularity
    bias, calibration, and fairness in recommendation" (RecSys 2020), over all users as one group.

    >>> popularity_lift(np.array([1, 1, 0]), popularity=np.array([1, 3, 0]))
    0.8
    """
    h = popularity.astype(np.float64)
    shown = _ratio(float(counts @ h), int(counts.sum()))
    return _ratio(shown, _ratio(float(h @ h), float(h.sum())))


def category_breaches(
    exposure: Exposure,
    categories: Ints,
    page_size: int,
    max_per_category: int,
    bound: Bools | None = None,
) -> int:
    """Count the places that a category has beyond its room, over all pages of all lists.

    A page is `page_size` places in a row from the top of a list; a category with k > max places
    on a page counts k - max, but no more than it has places that the rule binds: `bound` tells of
    each entry of the lists whether it does (all, where not given).

    >>> exposure = Exposure(np.array([0, 1, 2], np.int32), np.array([0, 3]), n_items=3)
    >>> category_breaches(exposure, np.array([0, 0, 0]), page_size=2, max_per_category=1)
    1
    """
    ranks = np.arange(len(exposure.items)) - np.repeat(exposure.offsets[:-1], exposure.lengths)
    starts = np.flatnonzero(ranks % page_size == 0)
    pages = Exposure(exposure.items, np.append(starts, len(ranks)), exposure.n_items)
    bound = np.ones(len(ranks), np.bool_) if bound is None else bound

    def block_of_pages(first: int) -> Floats:
        block = pages.block(first)
        binding = bound[pages.offsets[first] :][: len(block.items)].astype(np.int32)
        shown = _by_category(block, categories, np.ones_like(binding)).data
        most = _by_category(block, categories, binding).data
        excess = np.minimum(np.maximum(shown - max_per_category, 0), most)
        return np.asarray(excess, np.float64)

    return int(_in_blocks(block_of_pages, pages).sum())


def _by_category(lists: Exposure, categories: Ints, weights: Ints) -> csr_array:
    """Add up a weight an entry by list and category, categories in order."""
    shape = lists.n_lists, int(categories.max(initial=-1)) + 1
    sums = csr_array((weights, categories[lists.items], lists.offsets), shape=shape, copy=True)
    sums.sum_duplicates()  # in place
    return sums


def _in_blocks(measure: Callable[[int], Floats], lists: Exposure) -> Floats:
    """Concatenate the results of `measure` for each block of lists, computed in threads.

    `measure` is given the number of a block's first list.
    """
    firsts = (first for first in range(0, lists.n_lists, _BLOCK))
    return np.concatenate([np.empty(0), *parallel_map(measure, firsts)])


def _ratio(part: float | Number, whole: float | Number) -> float:
    return float(part) / float(whole) if whole else 0.0
