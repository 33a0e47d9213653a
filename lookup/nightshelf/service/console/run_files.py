"""JSON files of the runs, parsed once for each version of a file."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

#: Parsed reports in memory, of some 100 kB each.
_KEPT = 64


def read_json(path: Path) -> Mapping[str, Any]:
    """Return a file's document; empty where there is no such file, or none that can be read.

    A night may be writing it: the next request reads it again.
    """
    with suppress(OSError):
        return _parsed(path, path.stat().st_mtime_ns)
    return {}


def report_of(runs: Path | None, generation: int) -> Mapping[str, Any]:
    """Return the report of a generation's run; empty where there is none."""
    return read_json(runs / str(generation) / "report.json") if runs else {}


def numbers(runs: Path | None) -> list[int]:
    """Return the numbers of the runs that have a folder, ascending."""
    if runs is None or not runs.is_dir():
        return []
    return sorted(int(each.name) for each in runs.iterdir() if each.name.isdecimal())


def at(document: Any, *path: str) -> Any:
    """Return what stands at a path of a document; `None` where nothing does.

    >>> at({"lists": {"gini": 0.5}}, "lists", "gini"), at({"lists": None}, "lists", "gini")
    (0.5, None)
    """
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


@lru_cache(_KEPT)
def _parsed(path: Path, mtime_ns: int) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, Mapping) else {}
