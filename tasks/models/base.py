"""The protocol that every model follows, and the training of one for a run."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from tasks.artifacts.factors import Factors, load_factors, load_matrix, save_factors
from tasks.artifacts.records import Features, TrainedModel
from tasks.io.columns import ID
from tasks.io.parquet import digest_of, read_column
from tasks.runs.run_folder import Progress, Run, no_progress
from tasks.runs.saved_run import SETTINGS, read_settings, settings_of

#: No single item of the history adds to the score.
NOTHING = -1
#: Positions of the reasons' items (users x n) for the lists (users x n, lengths) of users first,
#: first + 1, ...; `NOTHING` where there is none. An answer depends on neither block nor thread.
Reasons = Callable[[int, npt.NDArray[np.int32], npt.NDArray[np.int64]], npt.NDArray[np.int32]]


@dataclass(frozen=True, eq=False)
class Interactions:
    """Signed strengths (users x items, CSR float32) with the ids of rows and columns, ascending."""

    user_ids: pa.StringArray
    item_ids: pa.StringArray
    strengths: sp.csr_matrix


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
    """A model whose score of an item for a user is the product of their factors.

    `users` (users x k) and `items` (items x k) are finite float32, in the order of the ids, which
    ascend. Equal data, settings and start give equal bytes. `n_iterations` is 0 once loaded.
    """

    #: Class of the settings.
    Settings: ClassVar[type[Any]]

    settings: Any
    user_ids: pa.StringArray
    item_ids: pa.StringArray
    users: Factors
    items: Factors
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
    def fold_in(self, strengths: sp.csr_matrix) -> Factors:
        """Return the factors of users (users x k) by their strengths (users x items).

        No user's factors depend on who else is asked for. Raises `ModelError` where one is not
        finite.
        """

    @abstractmethod
    def reasons(self, strengths: sp.csr_matrix) -> Reasons:
        """Return the item of each user's history that adds most to a score, in bulk.

        `strengths` (users x items) are of the users whose lists are explained.
        """

    @abstractmethod
    def contributions(self, strengths: sp.csr_matrix, item: int) -> npt.NDArray[np.float64]:
        """Return the part of an item's score that each entry of one user's `strengths` adds."""

    def with_users(self, ids: pa.StringArray, strengths: sp.csr_matrix) -> Self:
        """Return this model with the users `ids`, folded in, for its own."""
        return replace(self, user_ids=ids, users=self.fold_in(strengths))

    def save(self, folder: Path) -> None:
        """Write factors and settings."""
        (folder / SETTINGS).write_text(json.dumps(asdict(self.settings), indent=2) + "\n")
        save_factors(folder / "user_factors.parquet", self.user_ids, self.users)
        save_factors(folder / "item_factors.parquet", self.item_ids, self.items)

    @classmethod
    def load(cls, folder: Path, *, with_users: bool = True) -> Self:
        """Load a saved model, without any users where they are not wanted."""
        settings = settings_of(cls.Settings, read_settings(folder))
        item_ids, items = load_factors(folder / "item_factors.parquet")
        user_ids, users = item_ids[:0], items[:0]
        if with_users:
            user_ids, users = load_factors(folder / "user_factors.parquet")
        return cls(settings, user_ids, item_ids, users, items)


def train(
    name: str,
    kind: type[Model],
    run: Run,
    features: Features,
    settings: Any,
    start: Start | None,
    progress: Progress,
) -> TrainedModel:
    """Train a model on the features, from a `start` where there is one, and save it."""
    user_ids, item_ids = (read_column(path, ID) for path in (features.user_ids, features.item_ids))
    data = Interactions(user_ids, item_ids, load_matrix(features.interactions))
    before = kind.load(start.folder) if start else None
    model = kind.fit(data, settings, before, progress=progress)
    folder = run.path("model/start.json").parent
    model.save(folder)
    began = {"from": start.generation if start else None, "n_warm": start.n_warm if start else 0}
    (folder / "start.json").write_text(json.dumps(began) + "\n")
    users, items = (folder / f"{side}_factors.parquet" for side in ("user", "item"))
    return TrainedModel(
        name=name,
        user_factors=users,
        item_factors=items,
        n_users=features.n_users,
        n_items=features.n_items,
        n_factors=model.items.shape[1],
        settings=folder / SETTINGS,
        digest=digest_of(folder, [users, items]),
        n_iterations=model.n_iterations,
        started_from=start.generation if start else None,
    )
