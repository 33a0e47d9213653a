"""The protocol that every model follows, and the step that trains one."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.artifacts.factors import Factors, load_matrix
from tasks.artifacts.records import Features, TrainedModel
from tasks.io.parquet import digest_of
from tasks.runs.run_folder import Progress, Run, no_progress

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

    @classmethod
    def load(cls, features: Features) -> Self:
        """Load the interactions that `build_features` saved."""
        users, items = (
            pq.read_table(path)["id"].combine_chunks()
            for path in (features.user_ids, features.item_ids)
        )
        return cls(users, items, load_matrix(features.interactions))


@dataclass(frozen=True)
class Start:
    """The saved model that training starts from, by its generation.

    `n_warm` counts the nights since one that began anew, tonight included.
    """

    generation: int
    n_warm: int
    folder: Path


class Model(Protocol):
    """A model whose score of an item for a user is the product of their factors.

    `users` (users x k) and `items` (items x k) are finite float32, in the order of `user_ids` and
    `item_ids`. Equal data, settings and start give equal bytes.
    """

    @property
    def user_ids(self) -> pa.StringArray:
        """Ids of the users, ascending."""

    @property
    def item_ids(self) -> pa.StringArray:
        """Ids of the items, ascending."""

    @property
    def users(self) -> Factors:
        """Factors of the users."""

    @property
    def items(self) -> Factors:
        """Factors of the items."""

    @property
    def settings(self) -> Any:
        """Settings that it was trained with: a dataclass."""

    @property
    def n_iterations(self) -> int:
        """Iterations of its training; 0 where it was loaded."""

    @classmethod
    def fit(
        cls,
        data: Interactions,
        settings: Any,
        start: Self | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Self:
        """Learn from the data, anew or from another model; `ModelError` where it is not finite."""

    def save(self, folder: Path) -> None:
        """Write `user_factors.parquet`, `item_factors.parquet` and `settings.json`."""

    @classmethod
    def load(cls, folder: Path, *, with_users: bool = True) -> Self:
        """Load a saved model, without any users where they are not wanted."""

    def with_users(self, ids: pa.StringArray, strengths: sp.csr_matrix) -> Self:
        """Fold users in: this model with these users (ids, strengths: users x items) for its own.

        No user's factors depend on who else is asked for. Raises `ModelError` where one is not
        finite.
        """

    def reasons(self, strengths: sp.csr_matrix) -> Reasons:
        """Return the item of each user's history that adds most to a score, in bulk.

        `strengths` (users x items) are of the users whose lists are explained.
        """

    def contributions(self, strengths: sp.csr_matrix, item: int) -> npt.NDArray[np.float64]:
        """Return the part of an item's score that each entry of one user's `strengths` adds."""


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
    before = kind.load(start.folder) if start else None
    model = kind.fit(Interactions.load(features), settings, before, progress=progress)
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
        settings=folder / "settings.json",
        digest=digest_of(folder, [users, items]),
        n_iterations=model.n_iterations,
        started_from=start.generation if start else None,
    )


def save_settings(path: Path, settings: Any) -> None:
    """Write a dataclass of settings as JSON."""
    path.write_text(json.dumps(asdict(settings), indent=2) + "\n")
