"""The protocol that every model follows, and the saving of one in a run's folder."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp
from pydantic import TypeAdapter

from tasks.artifacts.factors import Factors, load_factors, load_matrix, save_factors, save_matrix
from tasks.artifacts.scoring import Rows, Scoring
from tasks.runs.run_folder import Progress, no_progress
from tasks.runs.saved_run import FACTS, ITEM_FACTORS, LINKS, PROFILES, SETTINGS, USER_FACTORS

#: No single item of the history adds most to the score: the model's taste at large, popularity.
NOTHING, POPULAR = -1, -2
#: Positions of the reasons' items (users x n) for the lists (users x n, lengths) of users first,
#: first + 1, ...; `NOTHING` or `POPULAR` where there is none. An answer depends on neither block
#: nor thread.
Reasons = Callable[[int, npt.NDArray[np.int32], npt.NDArray[np.int64]], npt.NDArray[np.int32]]


@dataclass(frozen=True, eq=False)
class Histories:
    """Signed strengths of users (users x items, CSR float32), of the same cells twice.

    `strengths` decay by the half-life that models learn with, `recent` by that of a profile.
    """

    strengths: sp.csr_matrix
    recent: sp.csr_matrix

    def of(self, rows: Rows) -> "Histories":
        """Return the histories of some users alone."""
        return Histories(self.strengths[rows], self.recent[rows])


@dataclass(frozen=True, eq=False)
class Interactions(Histories):
    """Histories with the ids of rows and columns, ascending.

    `popularity` (items) is recent and decayed: 0 at least, of any unit. `content` (items x flags)
    is what cold items, whose columns are empty, are known by (`tasks/models/content.py`).
    """

    user_ids: pa.StringArray
    item_ids: pa.StringArray
    popularity: npt.NDArray[np.float64]
    content: sp.csr_matrix | None = None


class Contributions(NamedTuple):
    """Parts of a score: of each entry of the user's `strengths`, in order, and of popularity."""

    history: npt.NDArray[np.float64]
    popular: float = 0.0


class WarmSettings(Protocol):
    """Settings of a warm start."""

    @property
    def warm_iterations(self) -> int:
        """Iterations of a night that starts from an earlier one's factors; 0: none does."""
        ...

    @property
    def cold_every(self) -> int:
        """One in so many nights trains from scratch."""
        ...

    @property
    def cold_below(self) -> float:
        """Fraction of the NDCG of the night before, below which a night trains from scratch."""
        ...


@dataclass(frozen=True)
class Start:
    """The saved model that training starts from, by its generation.

    `n_warm` counts the nights since one that began anew, tonight included.
    """

    generation: int
    n_warm: int
    folder: Path


@dataclass(frozen=True, eq=False)
class Model(ABC):
    """A model: factors of users and items, and for some a graph of linked items.

    `users` (users x k) and `items` (items x k) are finite float32, in the order of the ids, which
    ascend; `profiles` (users x items) and `neighbours` (items x items) are as in `Scoring`, without
    entries where the model links no items. `facts` are figures that training found in its data, and
    that fold-in needs. Equal data, settings and start give equal bytes. `n_iterations` is 0 once
    loaded.
    """

    #: Class of the settings.
    Settings: ClassVar[type[Any]]

    settings: Any
    user_ids: pa.StringArray
    item_ids: pa.StringArray
    users: Factors
    items: Factors
    profiles: sp.csr_matrix
    neighbours: sp.csr_matrix
    facts: Mapping[str, float] = field(default_factory=dict)
    n_iterations: int = 0

    @classmethod
    @abstractmethod
    def fit(
        cls,
        data: Interactions,
        settings: Any,
        start: "Model | None" = None,
        *,
        progress: Progress = no_progress,
    ) -> Self:
        """Learn from the data, anew or from another model; `ModelError` where it is not finite."""

    @abstractmethod
    def fold_in(self, histories: Histories) -> tuple[Factors, sp.csr_matrix]:
        """Return factors (users x k) and profiles (users x items) of users by their histories.

        Neither depends on who else is asked for. Raises `ModelError` where one is not finite.
        """

    @abstractmethod
    def reasons(self, histories: Histories) -> Reasons:
        """Return the item of each user's history that adds most to a score, in bulk.

        `histories` are those of the model's users.
        """

    @abstractmethod
    def contributions(self, history: Histories, item: int) -> Contributions:
        """Return the part of an item's score that each entry of one user's history adds."""

    @classmethod
    def warm_start(cls, settings: Any) -> tuple[WarmSettings, Mapping[str, Any]] | None:
        """Return a warm start's settings, and those that two nights must share for one.

        None where training never starts from another model.
        """
        del settings
        return None

    @property
    def scoring(self) -> Scoring:
        """The scores of all items for all users."""
        if not self.neighbours.nnz:
            return Scoring(self.users, self.items)
        return Scoring(self.users, self.items, self.profiles, self.neighbours)

    @property
    def likeness(self) -> Factors:
        """Factors of the items (items x k) whose cosines say how alike they are."""
        return self.items

    @property
    def similarity(self) -> Scoring:
        """The likeness of all items to all items: cosines, or sums of links."""
        wide = self.likeness.astype(np.float64)  # in float32 small factors' squares are nothing
        norms = np.linalg.norm(wide, axis=1, keepdims=True)
        units = np.asarray(wide / np.where(norms > 0, norms, 1), np.float32)
        return Scoring(units, units)

    def of(self, rows: Rows) -> Self:
        """Return this model with some of its users alone."""
        ids = self.user_ids.take(pa.array(rows))
        return replace(self, user_ids=ids, users=self.users[rows], profiles=self.profiles[rows])

    def with_users(self, ids: pa.StringArray, histories: Histories) -> Self:
        """Return this model with the users `ids`, folded in, for its own."""
        users, profiles = self.fold_in(histories)
        return replace(self, user_ids=ids, users=users, profiles=profiles)

    def save(self, folder: Path) -> None:
        """Write factors, links, facts and settings."""
        (folder / SETTINGS).write_text(json.dumps(asdict(self.settings), indent=2) + "\n")
        (folder / FACTS).write_text(json.dumps(dict(self.facts), indent=2) + "\n")
        save_factors(folder / USER_FACTORS, self.user_ids, self.users)
        save_factors(folder / ITEM_FACTORS, self.item_ids, self.items)
        save_matrix(folder / PROFILES, self.profiles)
        save_matrix(folder / LINKS, self.neighbours)

    @classmethod
    def load(cls, folder: Path, *, with_users: bool = True) -> Self:
        """Load a saved model, without any users where they are not wanted."""
        given, facts = (json.loads((folder / name).read_bytes()) for name in (SETTINGS, FACTS))
        item_ids, items = load_factors(folder / ITEM_FACTORS)
        users = no_links(0, len(items))
        user_ids, factors, profiles = item_ids[:0], items[:0], users
        if with_users:
            user_ids, factors = load_factors(folder / USER_FACTORS)
            profiles = load_matrix(folder / PROFILES)
        return cls(
            TypeAdapter(cls.Settings).validate_python(given),
            user_ids,
            item_ids,
            factors,
            items,
            profiles,
            load_matrix(folder / LINKS),
            TypeAdapter(dict[str, float]).validate_python(facts),
        )


def no_links(n_rows: int, n_items: int) -> sp.csr_matrix:
    """Return a matrix of links without entries (rows x items)."""
    return sp.csr_matrix((n_rows, n_items), dtype=np.float32)


def in_order(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Return a matrix as links are kept: float32 without zeros, columns in order."""
    links = sp.csr_matrix(matrix).astype(np.float32, copy=True)
    links.eliminate_zeros()
    links.sort_indices()
    return links
