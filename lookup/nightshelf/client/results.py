"""What a reader is told: lists with where they come from, and the state of the shelf.

Nothing here knows of Redis, so an answer can be kept, compared and sent on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from nightshelf.contract.values import Canary, Manifest, Reason


class Item(NamedTuple):
    """One recommendation; scores compare within a list only, `reason` is the contract's.

    `metadata` is the item's feature row where it was asked for and Redis gave it.
    """

    item_id: str
    score: float
    reason: Reason
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Result:
    """A list for a page, best first, and where it comes from.

    `source` is ``list`` (the user's own), ``similar``, ``popular:<segment>`` (a fallback, unless it
    was asked for), ``popular:favorites`` (the popular lists of the user's favourite categories, in
    turn), ``last-good`` (Redis or its generation is gone: the popular list that this process saw
    last) or ``none`` (no items). `model` is `None` where no model made the list; `age_s` counts
    from publication, and is `None` for a generation that is live no longer. `cached` says that
    Redis was not asked, or did not answer. `cursor` asks for the next page; `None` at the end.
    """

    items: tuple[Item, ...]
    source: str
    generation: int | None = None
    model: str | None = None
    age_s: float | None = None
    cached: bool = False
    cursor: str | None = None


@dataclass(frozen=True)
class Status:
    """What stands in Redis: `live` is `None` where nothing does, `error` says what went wrong.

    `pinned` is the generation that is held live against every flip, where one is; `canary` the one
    that a share of the users (`live.canary`) is served; `n_blocked` counts withdrawn items.
    `age_s` counts from publication, `made_age_s` from when the keys were written (a generation that
    was rolled back to keeps both), by the server's clock where it tells its time.
    """

    reachable: bool
    live: Manifest | None = None
    age_s: float | None = None
    made_age_s: float | None = None
    states: Mapping[int, str] = field(default_factory=dict)
    server: str | None = None
    pinned: int | None = None
    canary: Manifest | None = None
    n_blocked: int = 0
    error: str | None = None


def as_live(live: Manifest, canary: Canary) -> Manifest:
    """Return what the users of a canary read in place of the live manifest."""
    return replace(
        live,
        generation=canary.generation,
        default_model=canary.default_model,
        published_at=canary.since,
    )


def source_kind(source: str) -> str:
    """Return what to count a source under; segments of a kind go together, as there are thousands.

    >>> source_kind("popular:segment:gold"), source_kind("popular:all"), source_kind("list")
    ('popular:segment', 'popular:all', 'list')
    """
    return ":".join(source.split(":", 2)[:2])


@dataclass(frozen=True)
class Counters:
    """What a shelf has met since it was opened.

    `causes` counts, by cause (`nightshelf.client.core.failures`), what Redis did not give;
    `sources` counts answers by the kind of place they came from; `hits` and `misses` are of the
    copies kept in the process, `stale` those that served though their time was up; `entries` and
    `n_bytes` are what is kept now. `redis_hits` and `redis_misses` are of the lists and rows that
    Redis was asked for: there, or not. `breaker_open`: Redis has failed over and over and is hardly
    asked. `generation` and its `age_s` are of the pointer as it was last read. `unknown_actions`
    were told of types that the live night makes nothing of.
    """

    causes: Mapping[str, int]
    sources: Mapping[str, int]
    hits: int
    misses: int
    stale: int
    entries: int
    n_bytes: int
    redis_hits: int
    redis_misses: int
    breaker_open: bool
    generation: int | None
    age_s: float | None
    unknown_actions: int = 0
