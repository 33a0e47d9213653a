"""The compiled loops of Maximal Marginal Relevance: unit vectors, and a greedy choice a user."""

import numpy as np

from tasks.io.jit import Double, Positions, Single, compiled


@compiled
def unit_rows(items: Single) -> Double:
    """Return each row over its norm, in float64, added up in the order of the factors; 0 stays."""
    units = items.astype(np.float64)
    for i in range(len(units)):
        square = 0.0
        for f in range(units.shape[1]):
            square += units[i, f] * units[i, f]
        if square > 0:
            norm = np.sqrt(square)
            for f in range(units.shape[1]):
                units[i, f] /= norm
    return units


@compiled
def choose_next(
    scores: Double, nearest: Double, taken: Positions, best: float, mmr_lambda: float
) -> int:
    """Return the place in the pool of the next choice; `scores` fall, so the first of equals."""
    chosen, most = -1, 0.0
    for c in range(len(scores)):
        if taken[c]:
            continue
        relevance = scores[c] / best if best > 0 else 0.0
        value = mmr_lambda * relevance - (1 - mmr_lambda) * nearest[c]
        if chosen < 0 or value > most:
            chosen, most = c, value
    return chosen


@compiled
def diversify_block(
    pool: Positions,
    pool_scores: Double,
    pool_lengths: Positions,
    units: Double,
    mmr_lambda: float,
    out: Positions,
    scores: Double,
    lengths: Positions,
) -> None:
    """Choose from each user's pool (users x p, best first) a list (users x n), by MMR."""
    n_factors, widest = units.shape[1], pool.shape[1]
    vectors = np.empty((n_factors, widest))
    alike, nearest = np.empty(widest), np.empty(widest)
    taken = np.empty(widest, np.int64)
    for u in range(len(pool)):
        n_pool = pool_lengths[u]
        for c in range(n_pool):  # a column an item, so that cosines are summed side by side
            nearest[c], taken[c] = 0.0, 0
            for f in range(n_factors):
                vectors[f, c] = units[pool[u, c], f]
        lengths[u] = min(n_pool, out.shape[1])
        for place in range(lengths[u]):
            chosen = choose_next(
                pool_scores[u, :n_pool], nearest, taken, pool_scores[u, 0], mmr_lambda
            )
            taken[chosen] = 1
            out[u, place], scores[u, place] = pool[u, chosen], pool_scores[u, chosen]
            alike[:n_pool] = 0.0
            for f in range(n_factors):
                of_chosen = vectors[f, chosen]
                for c in range(n_pool):
                    alike[c] += of_chosen * vectors[f, c]
            for c in range(n_pool):
                nearest[c] = alike[c] if place == 0 else max(nearest[c], alike[c])
