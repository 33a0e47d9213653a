"""Reasons of a blend: from the part that contributes most to a score."""

import numpy as np
import numpy.typing as npt

from tasks.artifacts.scoring import Scoring
from tasks.models.base import POPULAR, Reasons
from tasks.models.graph.model import Links

Ints = npt.NDArray[np.int32]


def reasons_of(scoring: Scoring, of_als: Reasons) -> Reasons:
    """Return a blend's reasons: the last column of the dense part is popularity's.

    Of equal parts ALS goes before the graph, and that before popularity.
    """
    links = None
    if scoring.profiles is not None and scoring.neighbours is not None:
        links = Links(scoring.profiles, scoring.neighbours)
    n_als = scoring.users.shape[1] - 1 if scoring.users[:, :-1].any() else 0  # or weighs nothing

    def reasons(first: int, listed: Ints, lengths: npt.NDArray[np.int64]) -> Ints:
        users = scoring.users[first : first + len(lengths)].astype(np.float64)
        places = np.maximum(listed, 0)
        items = scoring.items[:, :n_als][places].astype(np.float64)
        als = np.einsum("uf,unf->un", users[:, :n_als], items)
        popular = users[:, -1:] * scoring.items[:, -1][places].astype(np.float64)
        linked, owner = np.zeros(listed.shape), np.full(listed.shape, -1, np.int32)
        if links is not None:
            linked, owner = links.parts(first, listed, lengths)
        largest = np.argmax(np.stack([als, linked, popular]), axis=0)
        out = np.where(largest == 1, owner, POPULAR).astype(np.int32)
        out[listed < 0] = -1
        filled = np.arange(listed.shape[1]) < lengths[:, None]
        return _filled_in(out, (largest == 0) & filled, listed, first, of_als)

    return reasons


def _filled_in(
    out: Ints, chosen: npt.NDArray[np.bool_], listed: Ints, first: int, of_als: Reasons
) -> Ints:
    """Put ALS's reasons where it is `chosen`, asking for no others."""
    lengths = chosen.sum(axis=1)
    order = np.argsort(~chosen, axis=1, kind="stable")
    asked = np.take_along_axis(listed, order, axis=1)
    found = of_als(first, np.ascontiguousarray(asked), lengths)
    out[chosen] = found[np.arange(listed.shape[1]) < lengths[:, None]]
    return out
