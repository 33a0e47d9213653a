"""Warm start: the earlier night whose factors training starts from, and their order for tonight.

A day changes little of what months have taught, so a model that starts where an earlier night ended
needs few iterations. What it inherits it does not quite unlearn, so a night begins anew every so
often, and after one whose lists did worse (docs/decisions/0026-warm-start.md).
"""

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa

from tasks.artifacts.factors import Factors
from tasks.io.columns import positions_of
from tasks.models.base import Start
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import MODEL, SavedRun, missing, saved_runs

#: The gate on NDCG against the generation that was live before.
_NDCG_GATE = "ndcg_ratio"


class WarmStartSettings(Protocol):
    """Settings of a model that starts from an earlier night: a dataclass.

    `SHARED` names those that two nights must share for the factors of one to mean something to the
    other.
    """

    SHARED: ClassVar[tuple[str, ...]]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def warm_iterations(self) -> int:
        """Iterations of a night that starts from an earlier one; 0: none does."""

    @property
    def cold_every(self) -> int:
        """One in so many nights trains from scratch."""

    @property
    def cold_below(self) -> float:
        """Smallest ratio of NDCG to the night before's that the next night starts from."""


def starting_point(
    run: Run, settings: WarmStartSettings, bad: Collection[int] = frozenset()
) -> Start | None:
    """Return the model to start from, that of the night before; `None` to begin anew.

    The night before is the newest with an earlier `as_of` that is not among the `bad`, passed its
    gates and trained in the same way. Training begins anew where there is none, where it is time
    to (`cold_every`), and where that night's NDCG fell below `cold_below` of the one before.
    """
    if not settings.warm_iterations:
        return None
    for saved in _earlier(run):
        generation, folder = saved.run.generation, saved.folder
        if generation in bad or not saved.passed or not _fits(folder, settings):
            continue
        n_warm = _load(folder / "model/start.json").get("n_warm", 0) + 1
        if n_warm >= settings.cold_every or _ndcg_ratio(folder) < settings.cold_below:
            return None
        return Start(generation, n_warm, folder / "model")
    return None


def inherit(
    factors: Factors, ids: pa.StringArray, wanted: pa.StringArray, rng: np.random.Generator
) -> Factors:
    """Return the factors of `ids` in the order of `wanted`; a new id begins as in implicit."""
    at = positions_of(wanted, ids)
    known = at >= 0
    found = np.empty((len(at), factors.shape[1]), np.float32)
    found[known] = factors[at[known]]
    n_new = len(at) - known.sum()
    found[~known] = rng.random((n_new, factors.shape[1]), dtype=np.float32) * np.float32(0.01)
    return found


def _earlier(run: Run) -> list[SavedRun]:
    """Return the saved runs with an earlier `as_of`, the latest first."""
    found = [each for each in saved_runs(run.root, run.namespace) if each.run.as_of < run.as_of]
    return sorted(found, key=lambda each: (each.run.as_of, each.run.generation), reverse=True)


def _fits(folder: Path, settings: WarmStartSettings) -> bool:
    then, ours = _load(folder / "model/settings.json"), asdict(settings)
    return not missing(folder, MODEL) and all(
        then.get(name) == ours[name] for name in settings.SHARED
    )


def _ndcg_ratio(folder: Path) -> float:
    """Return a night's NDCG over that of the night before; 1 where it was not measured."""
    with suppress(OSError, ValueError):
        for gate in json.loads((folder / "gates.json").read_text()):
            if gate["name"] == _NDCG_GATE and gate["value"] is not None:
                return float(gate["value"])
    return 1.0


def _load(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    return {}
