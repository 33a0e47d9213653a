"""Decorators that journal the steps of a run, and reuse steps taken over from another run."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from tasks.io.parquet import file_hash
from tasks.runs.peak_memory import peak_memory
from tasks.runs.run_folder import Run

P = ParamSpec("P")
R = TypeVar("R")


def step(function: Callable[Concatenate[Run, P], R]) -> Callable[Concatenate[Run, P], R]:
    """Journal a step of the night: name, seconds, peak memory and the counts of its record."""

    @wraps(function)
    def journalled(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> R:
        started = time.perf_counter()
        with run.writing(function.__name__):
            with peak_memory() as peak:
                record = function(run, *args, **kwargs)
            run.note(function.__name__, time.perf_counter() - started, record, peak.n_bytes)
        return record

    return journalled


def computed(function: Callable[Concatenate[Run, P], R]) -> Callable[Concatenate[Run, P], R]:
    """Journal a step all of whose results are in the files that its record names.

    A step that the run has taken over from another (`tasks/runs/resume.py`) is not computed again.
    """

    @wraps(function)
    def once(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> R:
        for line in run.journal():
            if line["step"] == function.__name__ and "taken_from" in line:
                return cast("R", _unpacked(function, line["record"], run.folder))
        started = time.perf_counter()
        with run.writing(function.__name__):
            with peak_memory() as peak:
                record = function(run, *args, **kwargs)
            seconds = time.perf_counter() - started
            packed, files = _packed(record, run.folder), _files(record, run.folder)
            more = {"record": packed, "files": files}
            run.note(function.__name__, seconds, record, peak.n_bytes, **more)
        return record

    return once


def _files(record: object, folder: Path) -> dict[str, str]:
    """Return the files that a record names, relative to the run's folder, each with its hash."""
    paths = [value for value in vars(record).values() if isinstance(value, Path)]
    names = [str(path.relative_to(folder)) for path in paths]
    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(file_hash, paths), strict=True))


def _packed(record: object, folder: Path) -> dict[str, Any]:
    """Return a record in JSON types, its paths relative to the run's folder."""
    return {
        name: str(value.relative_to(folder)) if isinstance(value, Path) else value
        for name, value in vars(record).items()
    }


def _unpacked(function: Callable[..., object], packed: dict[str, Any], folder: Path) -> object:
    """Return the record that `function` returned when it ran."""
    kind = function.__annotations__["return"]
    paths = {each.name for each in fields(kind) if each.type is Path}
    values = {name: folder / value if name in paths else value for name, value in packed.items()}
    return kind(
        **{n: tuple(each) if isinstance(each, list) else each for n, each in values.items()}
    )
