"""One against 99: a user's last item ranked among random items that the user has not taken.

The protocol of many published tables (He and others, "Neural collaborative filtering", WWW 2017).
It flatters every model: rank among 100, not among all items; Krichene and Rendle, "On sampled
metrics" (KDD 2020), show that it can order two models otherwise than the full ranking does. So it
is here to compare with those tables, not to decide by.
"""

import hashlib

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.scoring import Scoring
from tasks.evaluation.judged_lists import Audience
from tasks.evaluation.ranking_metrics import Hits

N_OTHERS = 99
#: Users whose candidates are scored at a time.
_BLOCK_USERS = 1_024
#: No candidate: the catalogue has too few items left.
_NONE = -1


def candidates_of(audience: Audience, taken: sp.csr_matrix, seed: int) -> npt.NDArray[np.int32]:
    """Return the candidates of each user (users x 100): the relevant item, then 99 others.

    `taken` (users x items) are the items that each user is known for; others are drawn evenly from
    the rest of the features' items, by the seed and the user's id alone. -1 stands for a relevant
    item that no model knows, and where fewer than 99 others are left.
    """
    n_items = taken.shape[1]
    found = np.full((len(audience.user_ids), 1 + N_OTHERS), _NONE, np.int32)
    for row, user in enumerate(audience.user_ids.to_pylist()):
        own = audience.relevant[row].indices
        found[row, : len(own)] = own
        known = np.concatenate((own, taken[row].indices))
        digest = hashlib.blake2b(user.encode(), digest_size=8).digest()
        rng = np.random.default_rng([seed, int.from_bytes(digest)])
        drawn = rng.choice(n_items, min(n_items, N_OTHERS + len(known)), replace=False)
        others = drawn[~np.isin(drawn, known)][:N_OTHERS]
        found[row, 1 : 1 + len(others)] = others
    return found


def scores_of(scoring: Scoring, candidates: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Return the score of each user's candidates (users x candidates), -inf for none."""
    scores = np.full(candidates.shape, -np.inf)
    for first in range(0, len(candidates), _BLOCK_USERS):
        block = slice(first, first + _BLOCK_USERS)
        some = candidates[block]
        users = scoring.users[block].astype(np.float64)
        found = np.einsum("uk,uck->uc", users, scoring.items[some].astype(np.float64))
        if scoring.profiles is not None and scoring.neighbours is not None:
            linked = sp.csr_matrix(scoring.profiles[block] @ scoring.neighbours)
            rows = np.repeat(np.arange(len(some)), some.shape[1])
            found += np.asarray(linked[rows, some.ravel()]).reshape(some.shape)
        scores[block] = np.where(some >= 0, found, -np.inf)
    return scores


def hits_among(scores: npt.NDArray[np.float64], candidates: npt.NDArray[np.int32]) -> Hits:
    """Return the place of the first candidate among all (users x candidates), ties by item.

    A relevant item without a score is last.
    """
    own, item = scores[:, :1], candidates[:, :1]
    above = (scores > own) | ((scores == own) & (candidates < item))
    places = np.where(candidates[:, 0] >= 0, above.sum(axis=1), scores.shape[1] - 1)
    return np.asarray(places[:, None] == np.arange(scores.shape[1]))
