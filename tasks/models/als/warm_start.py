"""Where training starts: from the factors of an earlier night, or from nothing.

A day changes little of what months have taught, so ALS that starts where an earlier night ended
needs few iterations. What it inherits it does not quite unlearn, so a night begins anew every so
often, and after one whose lists did worse (docs/decisions/0026-warm-start.md).
"""

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from nightshelf.contract.values import Manifest
from nightshelf.errors import CorruptValue
from tasks.models.als.settings import TrainSettings
from tasks.models.base import Start
from tasks.runs.run_folder import Run

#: The gate that says how well a night foresaw, against the one that was live before it.
_FORESIGHT = "ndcg_ratio"
#: Settings that two nights must share for the factors of one to mean something to the other.
_SHARED = ("factors", "regularization", "alpha")


def starting_point(
    run: Run, settings: TrainSettings, bad: Collection[int] = frozenset()
) -> Start | None:
    """Return the model to start from, that of the night before; `None` to begin anew.

    The night before is the newest with an earlier `as_of` that is not among the `bad`, passed its
    gates and trained in the same way. Training begins anew where there is none, where it is time
    to (`cold_every`), and where that night foresaw worse than `cold_below` says.
    """
    if not settings.warm_iterations:
        return None
    nights = ((folder, night) for folder, night in _earlier(run) if night.generation not in bad)
    for folder, night in nights:
        passed = night.gates and "block" not in night.gates.values()
        if not passed or not _fits(folder, settings):
            continue
        n_warm = _load(folder / "model/start.json").get("n_warm", 0) + 1
        if n_warm >= settings.cold_every or _foresaw(folder) < settings.cold_below:
            return None
        return Start(night.generation, n_warm, folder / "model")
    return None


def _earlier(run: Run) -> Iterator[tuple[Path, Manifest]]:
    """Yield the nights with an earlier `as_of`, the latest first."""
    found = []
    for path in (run.root / run.namespace).glob("*/manifest.json"):
        with suppress(CorruptValue, OSError):
            found.append((path.parent, Manifest.from_json(path.read_bytes())))
    found.sort(key=lambda each: (each[1].as_of, each[1].generation), reverse=True)
    return (each for each in found if datetime.fromisoformat(each[1].as_of) < run.as_of)


def _fits(folder: Path, settings: TrainSettings) -> bool:
    files = [folder / f"model/{side}_factors.parquet" for side in ("user", "item")]
    then = _load(folder / "model/settings.json")
    ours = asdict(settings)
    return all(file.is_file() for file in files) and all(
        then.get(name) == ours[name] for name in _SHARED
    )


def _foresaw(folder: Path) -> float:
    """Return how well a night foresaw, as a share of the one before it; 1 where nothing says."""
    with suppress(OSError, ValueError):
        for gate in json.loads((folder / "gates.json").read_text()):
            if gate["name"] == _FORESIGHT and gate["value"] is not None:
                return float(gate["value"])
    return 1.0


def _load(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    return {}
