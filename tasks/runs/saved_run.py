"""The one check of what a run's folder must hold for others to go on from it."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeVar

from nightshelf.contract.values import Manifest, instant
from nightshelf.errors import CorruptValue
from tasks.errors import RunFolderError
from tasks.runs.run_folder import Run

T = TypeVar("T")

SETTINGS = "settings.json"
#: Note of a run whose data was deleted (`tasks/runs/prune.py`).
PRUNED = "pruned.json"
#: The clean log.
LOG = ("events.parquet", "items.parquet", "users.parquet")
#: The default model's lists.
LISTS = "lists/lists.parquet"
#: All else that is published: other lists, and feature rows.
PUBLISHED = tuple(
    f"{name}.parquet"
    for name in ("lists/popular", "lists/similar", "features/users", "features/items")
)
#: Files of a trained model in `model/<name>/`.
USER_FACTORS, ITEM_FACTORS = "user_factors.parquet", "item_factors.parquet"
PROFILES, LINKS, FACTS = "profiles.npz", "links.npz", "facts.json"


@dataclass(frozen=True)
class SavedRun:
    """A run whose generation was staged whole, and its manifest."""

    run: Run
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a folder `<root>/<namespace>/<generation>`.

        Raises `RunFolderError` where it is none, or its generation was never staged whole.
        """
        path = folder.resolve()
        if not path.name.isdecimal() or not (path / "manifest.json").is_file():
            raise RunFolderError(
                f"{folder} holds no manifest.json of a staged generation: expected the folder of a "
                "run, runs/<namespace>/<generation>"
            )
        try:
            manifest = Manifest.from_json((path / "manifest.json").read_bytes())
        except CorruptValue as error:
            raise RunFolderError(f"{path / 'manifest.json'} cannot be read: {error}") from error
        as_of = instant(manifest.as_of)
        if as_of is None or not manifest.digest:
            raise RunFolderError(
                f"{path / 'manifest.json'} lacks what a staged one has: {manifest}"
            )
        return cls(Run(path.parent.name, int(path.name), as_of, path.parent.parent), manifest)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.run.folder

    @property
    def passed(self) -> bool:
        """True if gates have judged the generation and none blocked it."""
        return bool(self.manifest.gates) and "block" not in self.manifest.gates.values()


def saved_runs(root: Path, namespace: str) -> Iterator[SavedRun]:
    """Yield a namespace's saved runs; folders of anything else are passed over."""
    for folder in (root / namespace).glob("*"):
        with suppress(RunFolderError, OSError):
            yield SavedRun.open(folder)


def earlier_runs(run: Run) -> list[SavedRun]:
    """Return a namespace's saved runs with an earlier `as_of`, the latest first."""
    found = [each for each in saved_runs(run.root, run.namespace) if each.run.as_of < run.as_of]
    return sorted(found, key=lambda each: (each.run.as_of, each.run.generation), reverse=True)


def model_files(name: str, *, with_users: bool = True) -> tuple[str, ...]:
    """Return a trained model's files; those without its users are enough to fold users in."""
    files = [SETTINGS, FACTS, ITEM_FACTORS, LINKS]
    return tuple(f"model/{name}/{each}" for each in files + [USER_FACTORS, PROFILES] * with_users)


def lists_file(name: str, default: str = "") -> str:
    """Return the file of a model's lists: `LISTS` of the default, its own of any other."""
    return LISTS if name == default else f"lists/{name}/lists.parquet"


def missing(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the files that a folder lacks."""
    return [name for name in names if not (folder / name).is_file()]


def require(folder: Path, names: Iterable[str], otherwise: str) -> None:
    """Raise `RunFolderError`, which says `otherwise`, where a folder lacks a file."""
    if absent := missing(folder, names):
        if (folder / PRUNED).is_file():
            otherwise = "its data was pruned, its report kept; `nightshelf runs list` has the rest"
        raise RunFolderError(f"{folder} lacks {', '.join(absent)}: {otherwise}")


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings in a folder, of a run by section; `ValueError` where there are none."""
    settings = json.loads((folder / SETTINGS).read_text())
    if not isinstance(settings, dict):
        raise ValueError(f"{folder / SETTINGS} is no JSON object")
    return settings


def settings_of(kind: type[T], given: dict[str, Any]) -> T:
    """Return a step's settings as a run recorded them; what this version does not know is left."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in given.items() if name in known})
