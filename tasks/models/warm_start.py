"""Warm start: the earlier night whose factors training starts from, and their order for tonight.

A day changes little of what months have taught, so a model that starts where an earlier night ended
needs few iterations. What it inherits it does not quite unlearn, so a night begins anew every so
often, and after one whose lists did worse (docs/decisions/0026-warm-start.md).
"""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.artifacts.factors import Factors
from tasks.io.columns import positions_of
from tasks.models.base import Start, WarmSettings
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import SETTINGS, earlier_runs, missing, model_files

#: The gate on NDCG against the generation that was live before.
_NDCG_GATE = "ndcg_ratio"


def starting_point(
    run: Run,
    name: str,
    shared: Mapping[str, Any],
    settings: WarmSettings,
    bad: Collection[int] = frozenset(),
) -> Start | None:
    """Return the model to start from, that of the night before; `None` to begin anew.

    The night before is the newest with an earlier `as_of` that is not among the `bad`, passed its
    gates and trained the model `name` with the same `shared` settings. Training begins anew where
    there is none, where it is time to (`cold_every`), and where that night's NDCG fell below
    `cold_below` of the one before.
    """
    if not settings.warm_iterations:
        return None
    for saved in earlier_runs(run):
        generation, folder = saved.run.generation, saved.folder
        if generation in bad or not saved.passed or not _fits(folder, name, shared):
            continue
        n_warm = _load(folder / f"model/{name}/start.json").get("n_warm", 0) + 1
        if n_warm >= settings.cold_every or _ndcg_ratio(folder) < settings.cold_below:
            return None
        return Start(generation, n_warm, folder / "model" / name)
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


def _fits(folder: Path, name: str, shared: Mapping[str, Any]) -> bool:
    if missing(folder, model_files(name)):
        return False
    then = _load(folder / f"model/{name}/{SETTINGS}")
    return _agree(then, shared)


def _agree(then: Mapping[str, Any], shared: Mapping[str, Any]) -> bool:
    """Tell if settings hold those `shared`, which may be of several sections."""
    return all(
        _agree(then.get(name, {}), value) if isinstance(value, Mapping) else then.get(name) == value
        for name, value in shared.items()
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
