"""Reasons: the item of a user's history that adds most to a listed item's score."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import solve_triangular

from tasks.artifacts.factors import Factors
from tasks.models.als._jit.explain import BLOCK, because_block
from tasks.models.als.train import Loss, confidence
from tasks.models.base import NOTHING


@dataclass(frozen=True)
class Explainer:
    """A model's own decomposition of a score over the user's history, in bulk; safe in threads.

    - `items`: Z of `tasks/models/als/_jit/explain.py` (items x k, float64).
    - `shared` (k), `ridge` (users): their sum is what the squares of Z's columns are divided by.
    - `history`: signed confidences (users x items), of which the system without the history holds
      the part `covered`.

    An answer depends on neither the block nor the thread that it is given in. Of shares that agree
    to nine digits, the smallest id wins.
    """

    items: npt.NDArray[np.float64]
    shared: npt.NDArray[np.float64]
    ridge: npt.NDArray[np.float64]
    history: sp.csr_matrix
    covered: float

    @classmethod
    def of(cls, interactions: sp.csr_matrix, items: Factors, loss: Loss) -> "Explainer":
        """Prepare with the strengths (users x items) and the loss that was trained with.

        Hold BLAS to one thread: with so little to do its threads would wait for one another.
        """
        history = confidence(interactions, loss.rate, loss.dislikes)
        wide = items.astype(np.float64)
        gram = wide.T @ wide + loss.regularization * np.eye(items.shape[1])
        eased = solve_triangular(np.linalg.cholesky(gram), wide.T, lower=True)
        filled = np.pad(eased, ((0, -len(eased) % BLOCK), (0, 0)))
        none = np.zeros(history.shape[0])
        return cls(np.ascontiguousarray(filled.T), np.ones(len(filled)), none, history, 1.0)

    def __call__(
        self, first: int, listed: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        """Return a reason's item position for each listed one (users x n), `NOTHING` elsewhere.

        `listed` (users x n) and `lengths` are the lists of users first, first + 1, ...
        """
        out = np.full(listed.shape, NOTHING, np.int32)
        last, history = first + len(lengths), self.history
        because_block(
            self.items,
            self.shared,
            self.ridge[first:last],
            self.covered,
            history.indptr[first : last + 1],
            history.indices,
            history.data,
            listed,
            lengths,
            out,
        )
        return out


def contributions(
    strengths: sp.csr_matrix, item: int, items: Factors, loss: Loss
) -> npt.NDArray[np.float64]:
    """Decompose an item's score over one user's history (Hu, Koren and Volinsky, section 5).

    Returns one value for each entry of `strengths` (1 x items), in its order; they add up to the
    score by `fold_in`. Disliked items add nothing.
    """
    wide = items.astype(np.float64)
    gram = wide.T @ wide + loss.regularization * np.eye(wide.shape[1])
    row = confidence(strengths, loss.rate, loss.dislikes)
    taken, weight = wide[row.indices], row.data.astype(np.float64)
    system = gram + taken.T @ (taken * (np.abs(weight) - 1)[:, None])
    points = np.maximum(weight, 0) * (taken @ np.linalg.solve(system, wide[item]))
    by_item = dict(zip(row.indices.tolist(), points.tolist(), strict=True))
    return np.array([by_item.get(at, 0.0) for at in strengths.indices.tolist()])
