"""The sum of the scores of lists."""

import numpy as np
import numpy.typing as npt

from tasks.artifacts.scoring import Scoring
from tasks.models.graph.model import Links


def sum_of(scoring: Scoring, lists: npt.NDArray[np.int32]) -> float:
    """Return the sum of the scores of each user's list (users x n), which -1 fills to its end."""
    total = 0.0
    for listed in lists.T:  # a place at a time: all at once would be copied in vain
        factors = scoring.users[listed >= 0], scoring.items[listed[listed >= 0]]
        total += float(np.einsum("ij,ij->", *factors, dtype=np.float64))
    if scoring.profiles is None or scoring.neighbours is None:
        return total
    lengths = (lists >= 0).sum(axis=1)
    linked = Links(scoring.profiles, scoring.neighbours).parts(0, lists, lengths)[0]
    return total + float(linked.sum())
