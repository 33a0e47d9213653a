"""Samples: the lists of a heavy, a light and a new user, with titles and reasons in words."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nightshelf.text import reason_text
from tasks.artifacts.records import Made
from tasks.io.duckdb_session import one_file
from tasks.report.shown_items import Row, rows

#: Places and events that are shown.
_PLACES, _EVENTS = 10, 8


def sample_facts(folder: Path, made: Made, catalogue: Path) -> list[Row]:
    """Return three samples, fewer where there are no such users.

    A sample has `kind` ("heavy", "light", "new"), `user` (none of a new one), `segment`, `events`,
    `history` (the last events, the newest first) and `list` (the first places).
    """
    files = {"users": one_file(made.features.users), "lists": one_file(made.own.path)}
    users = rows(folder, "sample_users", files)
    ids = [user["user_id"] for user in users]
    lists = _lists(folder, made.own.path, ids, catalogue)
    given = {"events": one_file(made.log.events), "catalogue": one_file(catalogue)}
    histories = rows(folder, "sample_history", given | {"users": ids, "n_events": _EVENTS})
    own = [
        {
            "kind": "heavy" if user["heavy"] else "light",
            "user": user["user_id"],
            "segment": user["segment"],
            "events": user["events"],
            "history": [_without(row, "user_id") for row in histories if row["user_id"] == name],
            "list": _places(lists, name),
        }
        for user in users
        for name in [user["user_id"]]
    ]
    popular = _lists(folder, made.popular.path, ["all"], catalogue)
    new: Row = {"kind": "new", "user": None, "segment": None, "events": 0, "history": []}
    return [*own, new | {"list": _places(popular, "all")}]


def _lists(folder: Path, path: Path, keys: list[str], catalogue: Path) -> list[Row]:
    given: dict[str, Any] = {"lists": one_file(path), "catalogue": one_file(catalogue)}
    found = rows(folder, "sample_lists", given | {"keys": keys, "n_places": _PLACES})
    titles = _titles(folder, catalogue, (row["because"] for row in found))
    for row in found:
        reason = (row.pop("code"), row.pop("because"))
        row["reason"] = reason_text(reason if reason[1] else reason[:1], titles)
    return found


def _titles(folder: Path, catalogue: Path, items: Iterable[str]) -> dict[str, str]:
    """Return the titles of items that reasons name, the id of those without one."""
    given = {"catalogue": one_file(catalogue), "items": sorted(set(items))}
    return {row["item_id"]: row["title"] for row in rows(folder, "titles", given)}


def _places(found: list[Row], key: str) -> list[Row]:
    return [_without(row, "key") for row in found if row["key"] == key]


def _without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


def sample_title(sample: Mapping[str, Any]) -> str:
    """Name the user of a sample.

    >>> sample_title({"kind": "new", "user": None})
    'A new user, of whom nothing is known'
    >>> sample_title({"kind": "light", "user": "u7", "events": 1, "segment": "gold"})
    'A light user, u7: 1 event, segment gold'
    """
    if sample["user"] is None:
        return "A new user, of whom nothing is known"
    n = sample["events"]
    segment = f", segment {sample['segment']}" if sample["segment"] else ""
    return f"A {sample['kind']} user, {sample['user']}: {n:,} event{'s' * (n != 1)}{segment}"
