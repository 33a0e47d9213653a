"""The compiled search for exact lists: blocks of items are scored for whom they still concern."""

import numpy as np

from tasks.kernel import Double, Positions, Single, compiled, walk
from tasks.kernel_bounds import Crowd, Stock
from tasks.kernel_desk import Desk, Rules
from tasks.kernel_settle import exact_scores, settle

#: Users scored by one matrix product.
TILE_USERS = 256
#: Scores compared with a threshold at once, before any is looked at by itself.
_GLANCE = 128
#: Halvings of the range in which the first candidates are sought.
_HALVINGS = 16


@compiled
def first_look(u: int, row: Single, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules) -> None:
    """Begin with the best of the first block's rough scores, so that few of the others pass.

    Halves the range of scores until a list's worth and a few more pass; takes those out of the
    row. Where ties allow no such level, nothing is taken.
    """
    low, high, n, level = -crowd.reach[u], crowd.reach[u], np.int32(0), np.float32(0)
    for _ in range(_HALVINGS):
        n, level = np.int32(0), np.float32((low + high) / 2)
        for at in range(len(row)):
            n += np.int32(row[at] >= level)
        if n > desk.fresh.shape[1]:
            low = level
        elif n < rules.n * 6 // 5:
            high = level
        else:
            break
    if n <= desk.fresh.shape[1]:
        for at in range(len(row)):
            if row[at] >= level:
                desk.fresh[u, desk.n_fresh[u]] = at
                desk.n_fresh[u] += 1
                row[at] = -np.inf
        settle(u, crowd, stock, desk, rules)


@compiled
def scan(
    tile: Single, start: int, first: int, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules
) -> None:
    """Take on what passes its user's threshold in rough scores of places first, first + 1, ...

    Row r is of user `active[start + r]`.
    """
    for r in range(len(tile)):
        u = desk.active[start + r]
        for glance in range(0, tile.shape[1], _GLANCE):
            part, bar, n = tile[r, glance : glance + _GLANCE], desk.bar[u], np.int32(0)
            for at in range(len(part)):
                n += np.int32(part[at] >= bar)
            if n == 0:
                continue
            for at in range(len(part)):
                if part[at] >= desk.bar[u]:
                    desk.fresh[u, desk.n_fresh[u]] = first + glance + at
                    desk.n_fresh[u] += 1
                    if desk.n_fresh[u] == desk.fresh.shape[1]:
                        settle(u, crowd, stock, desk, rules)


@compiled
def mask_seen(tile: Single, start: int, first: int, crowd: Crowd, desk: Desk) -> None:
    """Put -inf where a row's user has seen a place; as blocks come in order, none is missed."""
    for r in range(len(tile)):
        u = desk.active[start + r]
        at = desk.cursor[u]
        while at < crowd.seen_from[u + 1] and crowd.seen[at] < first + tile.shape[1]:
            if crowd.seen[at] >= first:
                tile[r, crowd.seen[at] - first] = -np.inf
            at += 1
        desk.cursor[u] = at


@compiled
def score_block(
    b: int, n_active: int, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules
) -> None:
    """Score block b for the users in `active[:n_active]`, a tile at a time, and scan the scores."""
    first, end = stock.starts[b], stock.starts[b + 1]
    n_factors = crowd.factors.shape[1]
    for start in range(0, n_active, len(desk.rows)):
        n = min(len(desk.rows), n_active - start)
        for r in range(n):
            u = desk.active[start + r]
            for f in range(n_factors):
                desk.rows[r, f] = crowd.factors[u, f]
        tile = desk.tile[: n * (end - first)].reshape(n, end - first)
        np.dot(desk.rows[:n], stock.items[first:end].T, tile)
        mask_seen(tile, start, first, crowd, desk)
        if b == 0:
            for r in range(n):
                first_look(desk.active[start + r], tile[r], crowd, stock, desk, rules)
        scan(tile, start, first, crowd, stock, desk, rules)


@compiled
def walk_all(
    u: int, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules, out: Positions, scores: Double
) -> int:
    """Score all items exactly for the rare user whose candidates were too many to keep.

    `out` gets places; the floor found so far still holds. Returns the list's length.
    """
    user, seen = crowd.factors[u], crowd.seen[crowd.seen_from[u] : crowd.seen_from[u + 1]]
    exact = np.empty(len(stock.items) + 7)
    exact_scores(user, stock.items, np.arange(len(stock.items)), desk.products, exact)
    for at in range(len(seen)):
        if seen[at] >= 0:
            exact[seen[at]] = -np.inf
    passed = np.flatnonzero((exact[:-7] >= desk.floor[u]) & (exact[:-7] > -np.inf))
    by_id = passed[np.argsort(stock.ids[passed])]
    order = by_id[np.argsort(-exact[by_id], kind="mergesort")]  # stable: ties stay in id order
    n = walk(
        order, stock.categories, rules.n_categories, rules.page_size, rules.max_per_category,
        out[: rules.n],
    )  # fmt: skip
    for at in range(n):
        scores[at] = exact[out[at]]
    return n


@compiled
def walk_kept(
    u: int, stock: Stock, desk: Desk, rules: Rules, out: Positions, scores: Double
) -> int:
    """Walk user u's kept candidates, which hold the whole list; `out` gets places."""
    n = walk(
        desk.kept[u, : desk.n_kept[u]], stock.categories, rules.n_categories, rules.page_size,
        rules.max_per_category, out[: rules.n],
    )  # fmt: skip
    at = 0
    for place in range(n):
        while desk.kept[u, at] != out[place]:
            at += 1
        scores[place] = desk.scores[u, at]
    return n


@compiled
def list_block(
    crowd: Crowd,
    stock: Stock,
    desk: Desk,
    rules: Rules,
    out: Positions,
    scores: Double,
    lengths: Positions,
) -> None:
    """Find the lists of a block of users: positions (u x n), exact scores and lengths.

    A block of items is scored for the users only whose bound reaches their threshold.
    """
    n_users = len(crowd.factors)
    for u in range(n_users):
        crowd.seen[crowd.seen_from[u] : crowd.seen_from[u + 1]].sort()
        desk.cursor[u] = crowd.seen_from[u]
        if crowd.reach[u] == np.inf:
            desk.full[u], desk.bar[u] = True, np.float32(np.inf)
    for b in range(len(stock.starts) - 1):
        n_active = 0
        for u in range(n_users):
            along = crowd.along[u]
            best = max(along * stock.least[b], along * stock.most[b])
            desk.active[n_active] = u
            n_active += best + crowd.aside[u] * stock.aside[b] >= desk.bar[u]
        score_block(b, n_active, crowd, stock, desk, rules)
    for u in range(n_users):
        if not desk.full[u]:
            settle(u, crowd, stock, desk, rules)
        if desk.full[u]:
            lengths[u] = walk_all(u, crowd, stock, desk, rules, out[u], scores[u])
        else:
            lengths[u] = walk_kept(u, stock, desk, rules, out[u], scores[u])
        for at in range(lengths[u]):
            out[u, at] = stock.ids[out[u, at]]
