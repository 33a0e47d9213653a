"""Why an item is in a list: the item of the user's own history that adds most to its score."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.kernel import because_block
from tasks.train import Factors, TrainSettings, confidence

#: No single item of the history adds to the score.
NOTHING = -1


@dataclass(frozen=True)
class Explainer:
    """ALS's own decomposition of a score over the user's history, in bulk.

    `gram` is Y'Y + reg I (k x k, float64), `history` the signed confidences (users x items).
    """

    gram: npt.NDArray[np.float64]
    items: Factors
    history: sp.csr_matrix

    @classmethod
    def of(
        cls, interactions: sp.csr_matrix, items: Factors, training: TrainSettings
    ) -> "Explainer":
        """Prepare with the strengths (users x items) and the settings that were trained on."""
        wide = items.astype(np.float64)
        gram = wide.T @ wide + training.regularization * np.eye(items.shape[1])
        return cls(gram, items, confidence(interactions, training.alpha))

    def __call__(
        self, first: int, listed: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        """Return a reason's item position for each listed one (users x n), `NOTHING` elsewhere.

        `listed` (users x n) and `lengths` are the lists of users first, first + 1, ...
        """
        out = np.full(listed.shape, NOTHING, np.int32)
        spans = self.history.indptr[first : first + len(lengths) + 1]
        because_block(
            self.gram, self.items, spans, self.history.indices,
            self.history.data.astype(np.float64), listed, lengths, out,
        )  # fmt: skip
        return out
