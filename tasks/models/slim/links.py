"""Links of SLIM (Ning and Karypis, "SLIM: Sparse Linear Methods", ICDM 2011).

Each item's column is explained by those of its candidates, the items most like it (their fsSLIM),
with weights of 0 at least and a ridge instead of an L1 norm. In a whole matrix the ridge alone
would be EASE; n candidates an item cost n^2 an item instead of the cube of all items. EASE's ridge
is the same for all items, EDLAE's (Steck, NeurIPS 2020) grows with an item's squared norm; ours
grows with its norm.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from implicit.nearest_neighbours import ItemItemRecommender

from tasks.io.blas import one_blas_thread
from tasks.io.parallel import in_threads, row_ranges
from tasks.models.base import in_order
from tasks.models.graph.links import damped, power, strongest
from tasks.models.slim._jit.regress import regress
from tasks.models.slim.settings import SlimSettings

#: Cosines of all items at most, unless an item has but so many.
_MOST_COSINES, _LEAST = 5_000_000, 100


def link(strengths: sp.csr_matrix, unit: float, settings: SlimSettings) -> sp.csr_matrix:
    """Return the largest positive links of each item (items x items), itself left out.

    An entry (j, i) is what a unit of j in a profile adds to the score of i.
    """
    rows = strongest(damped(strengths, unit), settings.history_items)
    totals = np.asarray(rows.sum(axis=1)).ravel()
    rows = sp.csr_matrix(sp.diags(power(totals, -settings.user_exponent / 2)) @ rows)
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=0)).ravel())
    room = max(_LEAST, _MOST_COSINES // max(len(norms), 1))
    alike = cosines(rows, norms, min(max(settings.similar, settings.candidates), room))
    known = norms[norms > 0]
    mean = float((known**2).mean()) if len(known) else 1.0
    ridge = settings.regularization * np.sqrt(mean) * power(norms, -1)
    chosen = np.full((len(norms), min(settings.candidates, room)), -1, np.int32)
    weights = np.zeros(chosen.shape, np.float32)
    given = alike.indptr, alike.indices, alike.data, ridge.astype(np.float32), chosen, weights
    in_threads(lambda first, last: regress(first, last, *given), row_ranges(alike.indptr))
    of, owner = chosen[chosen >= 0], np.nonzero(chosen >= 0)[0]
    found = weights[chosen >= 0] * norms[owner] * power(norms, -1)[of]
    links = sp.csr_matrix((found, (of, owner)), alike.shape)
    return in_order(strongest(links, settings.neighbours))


def cosines(rows: sp.csr_matrix, norms: npt.NDArray[np.float64], n: int) -> sp.csr_matrix:
    """Return each item's n largest cosines with others (items x items, float32).

    `norms` are those of the columns of `rows`.
    """
    knn = ItemItemRecommender(K=n + 1)
    with one_blas_thread():
        knn.fit(sp.csr_matrix(rows @ sp.diags(power(norms, -1))), show_progress=False)
    found = sp.csr_matrix(knn.similarity)
    found.setdiag(0)
    return in_order(found)
