"""What a run's folder holds of how its lists were made."""

import json
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import pyarrow as pa
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.factors import Factors, load_factors
from tasks.errors import RunFolderError
from tasks.models.als.settings import TrainSettings
from tasks.recommend.settings import TopNSettings
from tasks.runs.saved_run import settings_of

_FILES = (
    "settings.json",
    "model/item_factors.parquet",
    "model/user_factors.parquet",
    "features/items.parquet",
    "features/seen.npz",
    "features/interactions.npz",
)


@dataclass(frozen=True)
class Night:
    """The model and the rules that made a run's lists.

    Rows of `users`, `seen` and `interactions` are in the order of `user_ids`; rows of `items`, the
    `catalogue` and the columns of both matrices in that of `item_ids`. `seen_types` are the types
    of event after which an item is not shown again.
    """

    user_ids: pa.StringArray
    item_ids: pa.StringArray
    users: Factors
    items: Factors
    catalogue: Catalogue
    seen: sp.csr_matrix
    interactions: sp.csr_matrix
    rules: TopNSettings
    training: TrainSettings
    seen_types: tuple[str, ...]


def load_night(folder: Path) -> Night:
    """Load a run's model and rules; `RunFolderError` where the folder does not hold them."""
    for name in _FILES:
        if not (folder / name).is_file():
            raise RunFolderError(
                f"{folder / name} is missing: no night has trained its model there"
            )
    try:
        settings = json.loads((folder / "settings.json").read_text())
        item_ids, items = load_factors(folder / "model/item_factors.parquet")
        user_ids, users = load_factors(folder / "model/user_factors.parquet")
        return Night(
            user_ids=user_ids,
            item_ids=item_ids,
            users=users,
            items=items,
            catalogue=load_catalogue(folder / "features/items.parquet", item_ids),
            seen=_matrix(folder / "features/seen.npz"),
            interactions=_matrix(folder / "features/interactions.npz"),
            rules=settings_of(TopNSettings, settings["topn"]),
            training=settings_of(TrainSettings, settings["train"]),
            seen_types=tuple(settings["features"]["seen"]),
        )
    except (OSError, EOFError, ValueError, LookupError, TypeError, BadZipFile) as error:
        raise RunFolderError(f"{folder}: the model or its rules cannot be read: {error}") from error


def _matrix(path: Path) -> sp.csr_matrix:
    with path.open("rb") as stream:  # numpy leaves a file open that turns out to be damaged
        return sp.csr_matrix(sp.load_npz(stream))
