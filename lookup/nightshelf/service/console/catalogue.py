"""Facts of a run's catalogue and lists, by DuckDB: `catalogue.parquet`, `lists/lists.parquet`.

Answers are cached by the file's time and size, so a page asks the same only once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

from cachetools import LRUCache

from nightshelf.service.dashboard.connection import TooMuch, answer
from nightshelf.service.problems import Problem

#: Rows of a page, and hits of a search.
PAGE_ROWS, HITS, USERS = 25, 20, 20
#: Time of a query, and for its turn: so many work at once.
_QUERY_S, _TURN_S, _AT_ONCE = 5.0, 5.0, 2
_turns = BoundedSemaphore(_AT_ONCE)

Row = dict[str, Any]

#: Conditions of the lists of items, by name: of ``blocked`` the ids are passed.
VIEWS: Mapping[str, tuple[str, str, str]] = {
    "most": ("Most shown", "n_lists > 0", "n_lists DESC, item_id"),
    "never": ("Never shown", "n_lists = 0 AND available", "n_events DESC, item_id"),
    "new": ("New", "is_new", "n_lists DESC, item_id"),
    "cold": ("Without a useful event", "is_cold", "n_lists DESC, item_id"),
    "unavailable": ("Unavailable", "NOT available", "n_events DESC, item_id"),
    "blocked": ("Blocked", "list_contains($blocked, item_id)", "n_lists DESC, item_id"),
}
_ITEM = "item_id, title, category, image_url, available, is_new, is_cold, n_lists, n_first, "
_ITEM += "n_lists_before, n_events"
_SUMMARY = """
SELECT count(*) AS n_items,
    count(*) FILTER (available) AS n_available,
    count(*) FILTER (available AND n_lists > 0) AS n_shown,
    count(*) FILTER (NOT available) AS n_unavailable,
    count(*) FILTER (is_new) AS n_new,
    count(*) FILTER (is_new AND n_lists > 0) AS n_new_shown,
    count(*) FILTER (is_cold) AS n_cold,
    count(*) FILTER (is_cold AND n_lists > 0) AS n_cold_shown,
    coalesce(sum(n_lists), 0)::BIGINT AS n_places,
    coalesce(sum(n_lists) FILTER (is_new), 0)::BIGINT AS n_new_places,
    coalesce(sum(n_events), 0)::BIGINT AS n_events
FROM read_parquet($file)
"""
_CATEGORIES = """
SELECT coalesce(category, 'unknown') AS category,
    count(*) AS n_items,
    count(*) FILTER (available) AS n_available,
    count(*) FILTER (available AND n_lists > 0) AS n_shown,
    count(*) FILTER (available AND n_lists > 0) / nullif(count(*) FILTER (available), 0)
        AS coverage,
    count(*) / sum(count(*)) OVER () AS share_of_items,
    sum(n_lists) / nullif(sum(sum(n_lists)) OVER (), 0) AS share_of_places,
    sum(n_events) / nullif(sum(sum(n_events)) OVER (), 0) AS share_of_events
FROM read_parquet($file) GROUP BY 1 ORDER BY sum(n_lists) DESC, category
"""
_SEARCH = f"""
SELECT {_ITEM} FROM read_parquet($file)
WHERE contains(lower(title), lower($text)) OR item_id = $text
ORDER BY item_id <> $text, NOT starts_with(lower(title), lower($text)), lower(title), item_id
LIMIT {HITS}
"""  # noqa: S608 - of constants, as those below
_USERS = f"""
SELECT key AS user_id, list_position(item_ids, $item)::BIGINT AS place FROM read_parquet($file)
WHERE list_contains(item_ids, $item) LIMIT {USERS}
"""  # noqa: S608
_ONE = f"SELECT {_ITEM} FROM read_parquet($file) WHERE item_id = $item"  # noqa: S608


@dataclass(frozen=True)
class Page:
    """A page of items: `rows` from `first` (0 on) of `n` in all."""

    rows: tuple[Row, ...]
    first: int
    n: int

    @property
    def next_at(self) -> int | None:
        """Start of the next page; `None` at the end."""
        after = self.first + PAGE_ROWS
        return after if after < self.n else None

    @property
    def previous_at(self) -> int | None:
        """Start of the page before; `None` at the start."""
        return max(0, self.first - PAGE_ROWS) if self.first else None


def catalogue_of(runs: Path | None, generation: int) -> Path | None:
    """Return a generation's catalogue; `None` where its run has left none."""
    path = runs / str(generation) / "catalogue.parquet" if runs else None
    return path if path and path.is_file() else None


def lists_of(runs: Path | None, generation: int) -> Path | None:
    """Return the file of a generation's lists by its default model; `None` where there is none."""
    path = runs / str(generation) / "lists" / "lists.parquet" if runs else None
    return path if path and path.is_file() else None


def summary(file: Path) -> Row:
    """Return counts over the whole catalogue."""
    return _rows(file, _SUMMARY)[0]


def categories(file: Path) -> tuple[Row, ...]:
    """Return a row a category, those with most places first: counts, and shares of 0 to 1."""
    return _rows(file, _CATEGORIES)


def items(file: Path, view: str, first: int = 0, blocked: tuple[str, ...] = ()) -> Page:
    """Return a page of the items of one of `VIEWS`."""
    _, where, order = VIEWS[view]
    about = {"blocked": list(blocked)} if view == "blocked" else {}
    count = f"SELECT count(*) AS n FROM read_parquet($file) WHERE {where}"  # noqa: S608
    n = _rows(file, count, **about)[0]["n"]
    statement = f"""
        SELECT {_ITEM} FROM read_parquet($file) WHERE {where} ORDER BY {order}
        LIMIT {PAGE_ROWS} OFFSET $first
    """  # noqa: S608
    rows = _rows(file, statement, first=first, **about)
    return Page(rows, first, n)


def one(file: Path, item: str) -> Row | None:
    """Return an item's row; `None` where the catalogue does not have it."""
    found = _rows(file, _ONE, item=item)
    return found[0] if found else None


def search(file: Path, text: str) -> tuple[Row, ...]:
    """Return up to `HITS` items whose title holds a text, in any case, or whose id it is.

    First the id, then titles that begin with it; ties by id.
    """
    return _rows(file, _SEARCH, text=text)


def users_with(file: Path, item: str) -> tuple[Row, ...]:
    """Return the first `USERS` users of a file of lists whose list has an item: id and place."""
    return _rows(file, _USERS, item=item)


_kept: LRUCache[tuple[Any, ...], tuple[Row, ...]] = LRUCache(256)
_kept_lock = Lock()


def _rows(file: Path, statement: str, **parameters: Any) -> tuple[Row, ...]:
    """Return the rows of a query on a file; raises `Problem` (503) where it takes too long."""
    stat = file.stat()
    key = (file, stat.st_mtime_ns, stat.st_size, statement, str(sorted(parameters.items())))
    with _kept_lock:
        if key in _kept:
            return _kept[key]
    if not _turns.acquire(timeout=_TURN_S):
        raise Problem(503, "Other pages are at work on the run's files; ask again in a moment.")
    try:
        rows = tuple(answer(statement, {"file": escape(str(file)), **parameters}, _QUERY_S))
    except TooMuch:
        says = f"{file.name} is too big for an answer in {_QUERY_S:g} s."
        raise Problem(503, says) from None
    except ValueError as error:
        raise Problem(503, f"{file.name} cannot be read: {error}") from error
    finally:
        _turns.release()
    with _kept_lock:
        _kept[key] = rows
    return rows
