"""Parts of the service's console that need the pipeline, by the entry point `nightshelf.console`.

The service finds each by its name and passes plain values; answers are plain too, ready for JSON
(docs/decisions/0053-trace-in-the-console.md). Both work in the calling thread.

- ``trace``: `trace`, of a user's list or an item in it or not.
- ``defaults``: `defaults`, of the settings of a night.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from cachetools import LRUCache
from redis import Redis

from nightshelf_ops.answer import Answer, find_answer
from nightshelf_ops.place_view import (
    NO_CANDIDATE,
    no_room_text,
    place_lines,
    seen_text,
    served_lines,
)
from nightshelf_ops.why_view import user_lines
from tasks.explain.saved_model import Night, load_night
from tasks.explain.trace import Person, Place, steps_of
from tasks.settings import Settings

#: Nights in memory: a default model's, and one to compare with.
_MAX_NIGHTS = 2


class _Nights:
    """The nights read last; one thread reads at a time. `n_read` counts those read from disk."""

    def __init__(self) -> None:
        self._kept: LRUCache[tuple[Path, str, int], Night] = LRUCache(_MAX_NIGHTS)
        self._lock = Lock()
        self.n_read = 0

    def load(self, folder: Path, model: str) -> Night:
        """Return a night, from memory while its folder is as it was; raises as `load_night`."""
        settings = folder / "settings.json"
        changed_ns = settings.stat().st_mtime_ns if settings.exists() else 0
        key = folder.resolve(), model, changed_ns
        with self._lock:
            if key not in self._kept:
                self._kept[key] = load_night(folder, model)
                self.n_read += 1
            return self._kept[key]


_NIGHTS = _Nights()


def trace(client: Redis, namespace: str, user: str, item: str | None, runs: Path) -> dict[str, Any]:
    """Trace a user's list in the folder of runs, as `nightshelf why` does.

    Returns ``lines`` (sentences on the list) and ``missing`` (why the folder tells nothing, or
    null); of an item ``item_lines``, ``rules`` (``rule``, ``passed``: null where it was not
    reached, ``says``), ``because`` (``item_id``: null for popularity, ``points``, ``share``) and
    ``rivals`` (``item_id``, ``position``, ``score``); without an item ``steps`` (fields of
    `tasks.explain.trace.Step`); and ``generation``, ``model``, ``seconds``, ``read`` (true where
    files of the run were read, not memory). Raises `InvalidKey` and errors of Redis.
    """
    began, n_before = time.perf_counter(), _NIGHTS.n_read
    answer = find_answer(client, namespace, user, item, runs, _NIGHTS.load)
    made = answer.manifest
    document: dict[str, Any] = {
        "user": user,
        "item": item,
        "generation": made.generation if made else None,
        "model": answer.model,
        "missing": answer.missing,
        "lines": user_lines(answer, namespace),
        "item_lines": [],
        "rules": [],
        "because": [],
        "rivals": [],
        "steps": [],
    }
    if item is not None:
        document |= _of_item(answer)
    elif made and answer.model and answer.missing is None:
        night = _NIGHTS.load(runs / namespace / str(made.generation), answer.model)
        document["steps"] = [asdict(each) for each in steps_of(night, user)]
    seconds = round(time.perf_counter() - began, 3)
    return document | {"seconds": seconds, "read": _NIGHTS.n_read > n_before}


def defaults() -> dict[str, dict[str, Any]]:
    """Return the defaults of a night's settings, by section and name."""
    sections = {
        name: each.get_default(call_default_factory=True)
        for name, each in Settings.model_fields.items()
        if name != "redis_url"
    }
    return {name: asdict(each) for name, each in sections.items()}


def _of_item(answer: Answer) -> dict[str, Any]:
    place, person = answer.place, answer.person
    lines = [*served_lines(answer), *place_lines(answer)] if answer.manifest else []
    if place is None or person is None:
        return {"item_lines": lines}
    return {
        "item_lines": lines,
        "rules": [
            {"rule": rule, "passed": passed, "says": says}
            for rule, passed, says in _rules(place, person)
        ],
        "because": [asdict(each) for each in place.because],
        "rivals": [asdict(each) for each in place.rivals],
    }


#: Rules in the order in which an item meets them, and the outcome that ends its way there.
_RULES = (
    ("known to the model", "not in the model"),
    ("not seen by the user", "seen"),
    ("available", "unavailable"),
    ("scored", "not scored"),
    ("reached before the list was complete", "below"),
    ("room for its category", "no room"),
)


def _rules(place: Place, person: Person) -> Iterator[tuple[str, bool | None, str]]:
    """Yield each rule, whether the item passed it, and what happened."""
    passed: bool | None = True
    for rule, outcome in _RULES:
        if passed and place.outcome == outcome:
            yield rule, False, _fell(place, person)
            passed = None
        else:
            yield rule, passed, ""
    if passed and person.trades:
        yield "rules beyond the walk", None, f"{', '.join(person.trades)} may have moved it"
    elif passed:
        yield "listed", True, f"place {place.position}, page {place.page}"


def _fell(place: Place, person: Person) -> str:
    match place.outcome:
        case "seen":
            return seen_text(person)
        case "no room":
            return f"page {place.page}: {no_room_text(place, person)}"
        case "below":
            return f"all {person.n_listed} places were taken before its turn"
        case _:
            return NO_CANDIDATE[place.outcome].partition(": ")[2]
