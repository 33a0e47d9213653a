"""Compiled: the linked part of scores, summed over the neighbours of a user's profile."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.io.jit import Double, Single, bare

#: A neighbour, beside its weight: both are read at once.
_LINK = np.dtype([("place", np.int32), ("weight", np.float32)])


class Links(NamedTuple):
    """Neighbours of each item: item j has `links[starts[j]:starts[j + 1]]`, none of weight 0."""

    starts: npt.NDArray[np.int64]
    links: npt.NDArray[np.void]


class Profiles(NamedTuple):
    """Items of each user: u has `items[starts[u]:starts[u + 1]]`, weighted by `weights`."""

    starts: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    weights: Single


def links_of(neighbours: sp.csr_matrix | None, place: npt.NDArray[np.int32]) -> Links:
    """Return the neighbours (items x items) by their `place`, without those that have none (-1)."""
    if neighbours is None:
        return Links(np.zeros(len(place) + 1, np.int64), np.empty(0, _LINK))
    places, weights = place[neighbours.indices], neighbours.data
    starts = neighbours.indptr.astype(np.int64)
    there = (places >= 0) & (weights != 0)
    if not there.all():
        starts = np.concatenate(([0], np.cumsum(there)))[starts]
        places, weights = places[there], weights[there]
    links = np.empty(len(places), _LINK)
    links["place"], links["weight"] = places, weights
    return Links(starts, links)


def profiles_of(profiles: sp.csr_matrix | None, first: int, end: int) -> Profiles:
    """Return the profiles of users `first` to `end` - 1."""
    if profiles is None:
        starts = np.zeros(end - first + 1, np.int64)
        return Profiles(starts, np.empty(0, np.int32), np.empty(0, np.float32))
    spans = profiles.indptr[first : end + 1].astype(np.int64)
    mine = slice(spans[0], spans[-1])
    items = profiles.indices[mine].astype(np.int32, copy=False)
    return Profiles(spans - spans[0], items, profiles.data[mine])


@bare
def add_links(u: int, profiles: Profiles, links: Links, linked: Double) -> None:
    """Add user u's sums over links to `linked`, in the order of the profile's items."""
    for at in range(profiles.starts[u], profiles.starts[u + 1]):
        item, weight = profiles.items[at], np.float64(profiles.weights[at])
        for link in range(links.starts[item], links.starts[item + 1]):
            near = links.links[link]
            linked[near["place"]] += weight * np.float64(near["weight"])


@bare
def clear_links(u: int, profiles: Profiles, links: Links, linked: Double) -> None:
    """Put 0 wherever `add_links` has added for user u."""
    for at in range(profiles.starts[u], profiles.starts[u + 1]):
        item = profiles.items[at]
        for link in range(links.starts[item], links.starts[item + 1]):
            linked[links.links[link]["place"]] = 0.0
