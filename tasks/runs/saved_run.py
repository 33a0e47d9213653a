"""What a run's folder must hold, checked when it is opened."""

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from nightshelf.contract.values import Manifest, instant
from nightshelf.errors import CorruptValue
from tasks.errors import RunFolderError
from tasks.runs.run_folder import Run

T = TypeVar("T")


def settings_of(kind: type[T], given: dict[str, Any]) -> T:
    """Return a step's settings as a run recorded them; what this version does not know is left."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in given.items() if name in known})


def open_source(folder: Path) -> tuple[Run, Manifest]:
    """Return the run of a folder `<root>/<namespace>/<generation>`, and its manifest.

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
        raise RunFolderError(f"{path / 'manifest.json'} lacks what a staged one has: {manifest}")
    return Run(path.parent.name, int(path.name), as_of, path.parent.parent), manifest
