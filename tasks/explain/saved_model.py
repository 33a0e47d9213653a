"""A run's saved model and rules."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.factors import load_matrix
from tasks.errors import RunFolderError
from tasks.models.base import Histories, Model
from tasks.models.registry import MODELS
from tasks.recommend.settings import TopNSettings
from tasks.runs.saved_run import SETTINGS, model_files, read_settings, require, settings_of

_FILES = (
    SETTINGS,
    "features/items.parquet",
    "features/seen.npz",
    "features/interactions.npz",
    "features/recent.npz",
)


@dataclass(frozen=True)
class Night:
    """The model and the rules that made a run's lists.

    Rows of `seen` and `histories` are the model's users; the `catalogue` and the columns of both
    matrices are its items. `seen_types` are the types of event after which an item is not shown
    again.
    """

    model: Model
    catalogue: Catalogue
    seen: sp.csr_matrix
    histories: Histories
    rules: TopNSettings
    seen_types: tuple[str, ...]

    @cached_property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Flags of the items that the model can give a score (items,): others enter no list."""
        return self.model.scoring.scored


def load_night(folder: Path, name: str) -> Night:
    """Load a model by its name and the rules; `RunFolderError` where the folder lacks them."""
    require(folder, (*_FILES, *model_files(name)), "no night has trained its model there")
    try:
        settings = read_settings(folder)
        model = MODELS[name].kind.load(folder / "model" / name)
        return Night(
            model=model,
            catalogue=load_catalogue(folder / "features/items.parquet", model.item_ids),
            seen=load_matrix(folder / "features/seen.npz"),
            histories=Histories(
                *(
                    load_matrix(folder / f"features/{each}.npz")
                    for each in ("interactions", "recent")
                )
            ),
            rules=settings_of(TopNSettings, settings["topn"]),
            seen_types=tuple(settings["features"]["seen"]),
        )
    except (OSError, EOFError, ValueError, LookupError, TypeError, BadZipFile) as error:
        raise RunFolderError(f"{folder}: the model or its rules cannot be read: {error}") from error
