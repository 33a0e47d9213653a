"""Parts of the console that need the pipeline, found by the entry point `nightshelf.console`.

The checkout's package `nightshelf_ops` offers them (docs/decisions/0053-trace-in-the-console.md);
an app's service has none, and its pages say so. They pass plain values.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from redis import Redis

GROUP = "nightshelf.console"
ABSENT = (
    "The pipeline is not installed beside this service, so it cannot be shown here: run the "
    "service from a checkout with the extra `pipeline`, or ask `nightshelf why` there."
)


@cache
def part(name: str) -> Callable[..., Any] | None:
    """Return the function of a name; `None` where the pipeline is not installed."""
    for each in entry_points(group=GROUP, name=name):
        try:
            found: Callable[..., Any] = each.load()
        except ModuleNotFoundError:
            return None
        return found
    return None


def trace(
    client: Redis, namespace: str, runs: Path | None, user: str, item: str | None
) -> Mapping[str, Any]:
    """Return the trace of a user's list, or of an item in it or not (`nightshelf_ops.console`).

    Its ``missing`` says why there is none.
    """
    ask = part("trace")
    if ask is None:
        return _nothing(ABSENT)
    if runs is None:
        return _nothing("The setting runs_dir is not set, so the run's files are not known.")
    found: Mapping[str, Any] = ask(client, namespace, user, item, runs)
    return found


def defaults() -> Mapping[str, Mapping[str, Any]] | None:
    """Return the defaults of a night's settings by section; `None` without the pipeline."""
    ask = part("defaults")
    return ask() if ask else None


def _nothing(missing: str) -> Mapping[str, Any]:
    """Return the document of a trace that cannot be made."""
    parts = ("lines", "item_lines", "rules", "because", "rivals", "steps")
    return {"missing": missing, "generation": None, "model": None} | dict.fromkeys(parts, ())
