"""Pruning: a run that nothing goes on from loses its data, and keeps its report.

Data is Parquet and NumPy files: the clean log, features, models, lists. Reports, settings, gates
and the journal are a few hundred kB, and trends are drawn from them. Kept whole are the runs whose
keys Redis still has, and those that `RunsSettings` names.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis import Redis

from nightshelf.admin.namespace_state import NamespaceState, read_state
from nightshelf.admin.retention import whole_until
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import PRUNED
from tasks.runs.settings import RunsSettings

_DATA = (".parquet", ".npz", ".npy", ".arrow")


@dataclass(frozen=True)
class RunOnDisk:
    """The folder of a run.

    `as_of` is none where the run did not get that far; `n_bytes` are those that its deletion would
    free, `n_data_bytes` its data's. `pruned` is when its data was deleted, ISO 8601. `kept` says
    why its data is kept; empty: nothing needs it.
    """

    generation: int
    folder: Path
    as_of: datetime | None
    written_at: datetime
    n_bytes: int
    n_data_bytes: int
    pruned: str
    kept: str = ""


@dataclass(frozen=True)
class Pruned:
    """Number of runs that lost their data, and the bytes that it took.

    `warnings` name folders that could not be cleared.
    """

    n_runs: int
    n_bytes: int
    warnings: tuple[str, ...] = ()


def prune_runs(run: Run, client: Redis, settings: RunsSettings) -> Pruned:
    """Prune the runs beside a night's own, which has ended."""
    now = datetime.now(UTC)
    state = read_state(client, run.namespace)
    return prune(runs_on_disk(run.root, state, settings, now) if settings.prune else (), now)


def runs_on_disk(
    root: Path, state: NamespaceState, settings: RunsSettings, now: datetime
) -> list[RunOnDisk]:
    """Return a namespace's runs, the newest first, each with the reason to keep its data.

    `now` is compared with the times of files.
    """
    folders = (root / state.namespace).glob("*")
    found = sorted(
        (_read(each) for each in folders if each.name.isdecimal() and each.is_dir()),
        key=lambda each: -each.generation,
    )
    reasons = _reasons(found, state, settings, now)
    return [replace(each, kept=reasons.get(each.generation, "")) for each in found]


def prune(runs: Iterable[RunOnDisk], now: datetime) -> Pruned:
    """Delete the data of the runs that nothing keeps; a note in each says so."""
    n_runs = n_bytes = 0
    warnings = []
    for run in runs:
        if run.kept or not run.n_data_bytes:
            continue
        try:
            _clear(run, now)
        except OSError as error:
            warnings.append(f"{run.folder} could not be pruned: {error}")
            continue
        n_runs, n_bytes = n_runs + 1, n_bytes + run.n_data_bytes
    return Pruned(n_runs, n_bytes, tuple(warnings))


def _clear(run: RunOnDisk, now: datetime) -> None:
    # First the note: whoever finds files missing finds the reason as well.
    note = {"at": now.isoformat(timespec="seconds"), "bytes": run.n_data_bytes}
    (run.folder / PRUNED).write_text(json.dumps(note) + "\n")
    for path in list(_data(run.folder)):
        path.unlink(missing_ok=True)
    _drop_empty(run.folder)


def _reasons(
    runs: list[RunOnDisk], state: NamespaceState, settings: RunsSettings, now: datetime
) -> Mapping[int, str]:
    """Return the reason to keep each run that is kept; of several the first."""
    reasons = _in_redis(state)
    for run in runs[: settings.keep_last]:
        reasons.setdefault(run.generation, f"one of the last {settings.keep_last}")
    fresh = now - timedelta(hours=settings.keep_written_h)
    for run in runs:
        if run.written_at > fresh:
            reasons.setdefault(run.generation, f"written within {settings.keep_written_h} h")
    dated = sorted((each.as_of, each.generation) for each in runs if each.as_of)
    newest = {as_of.strftime("%Y-%m"): generation for as_of, generation in dated}
    for month in sorted(newest, reverse=True)[: settings.keep_months]:
        reasons.setdefault(newest[month], f"the newest of {month}")
    return reasons


def _in_redis(state: NamespaceState) -> dict[int, str]:
    """Return the generations whose keys may still be read, each with its state."""
    found = {}
    for manifest in state.manifests:
        until = whole_until(manifest)
        if manifest.state in ("live", "previous") or (until and until > state.now):
            found[manifest.generation] = f"{manifest.state} in Redis"
    if state.pinned is not None:
        found[state.pinned] = "pinned in Redis"
    return found


def _read(folder: Path) -> RunOnDisk:
    files = [path for path in folder.rglob("*") if path.is_file()]
    sizes = {path: _freed(path) for path in files}
    journal = folder / "steps.jsonl"
    written = (journal if journal in sizes else folder).stat().st_mtime
    return RunOnDisk(
        generation=int(folder.name),
        folder=folder,
        as_of=_as_of(folder),
        written_at=datetime.fromtimestamp(written, UTC),
        n_bytes=sum(sizes.values()),
        n_data_bytes=sum(n for path, n in sizes.items() if path.suffix in _DATA),
        pruned=str(_document(folder / PRUNED).get("at", "")),
    )


def _freed(path: Path) -> int:
    """Return a file's share of bytes: nights that go on from another share its files."""
    status = path.stat()
    return status.st_size // status.st_nlink


def _as_of(folder: Path) -> datetime | None:
    for name in ("manifest.json", "made_from.json"):
        with suppress(KeyError, TypeError, ValueError):
            return datetime.fromisoformat(_document(folder / name)["as_of"])
    return None


def _document(path: Path) -> Mapping[str, Any]:
    """Return a JSON object; empty where there is none that can be read."""
    with suppress(OSError, ValueError):
        document = json.loads(path.read_bytes())
        return document if isinstance(document, dict) else {}
    return {}


def _data(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in _DATA and path.is_file())


def _drop_empty(folder: Path) -> None:
    """Remove empty folders, the innermost first."""
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        with suppress(OSError):
            path.rmdir()
