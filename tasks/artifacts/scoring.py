"""Scores of items for users, as every model gives them: a product of factors and a sum of links."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.factors import Factors

Rows = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Scoring:
    """The score of each item for each user.

        score(u, i) = users[u] . items[i] + sum over j of profiles[u, j] * neighbours[j, i]

    - `users` (users x k), `items` (items x k): finite float32.
    - `profiles` (users x items), `neighbours` (items x items): CSR float32, finite, columns in
      order; none where the model links no items.

    Both sums run in float64, over factors and over j in ascending order, so that a score is equal
    to the bit wherever it is computed.
    """

    users: Factors
    items: Factors
    profiles: sp.csr_matrix | None = None
    neighbours: sp.csr_matrix | None = None

    def of(self, rows: Rows) -> "Scoring":
        """Return the scoring of some users alone."""
        profiles = None if self.profiles is None else self.profiles[rows]
        return replace(self, users=self.users[rows], profiles=profiles)

    @property
    def lean(self) -> "Scoring":
        """The same scores without the factors that are 0 for every user."""
        used = np.any(self.users != 0, axis=0)
        if used.all():
            return self
        users, items = (np.ascontiguousarray(each[:, used]) for each in (self.users, self.items))
        return replace(self, users=users, items=items)

    @property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Flags of the items that a factor or a link can give a score (items,)."""
        scored = np.any(self.items != 0, axis=1)
        if self.neighbours is not None:
            scored[self.neighbours.indices] = True
        return np.asarray(scored)

    def scores(self, user: int) -> npt.NDArray[np.float64]:
        """Return the scores of all items for one user."""
        scores = np.zeros(len(self.items))
        for factor, column in zip(self.users[user].astype(np.float64), self.items.T, strict=True):
            scores += factor * column.astype(np.float64)
        if self.profiles is None or self.neighbours is None:
            return scores
        linked = np.zeros(len(self.items))
        mine = self.profiles[user]
        for item, weight in zip(mine.indices, mine.data.astype(np.float64), strict=True):
            row = self.neighbours[item]
            linked[row.indices] += weight * row.data.astype(np.float64)
        return scores + linked
