"""What a reader is told: lists with where they come from, and the state of the shelf.

Nothing here knows of Redis, so an answer can be kept, compared and sent on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from nightshelf.values import Canary, Manifest, RankedList, Reason, instant


@dataclass(frozen=True)
class Item:
    """One recommendation; scores compare within a list only, `reason` is the contract's."""

    item_id: str
    score: float
    reason: Reason


@dataclass(frozen=True)
class Result:
    """A list for a page, best first, and where it comes from.

    `source` is ``list`` (the user's own), ``similar``, ``popular:<segment>`` (a fallback, unless it
    was asked for), ``last-good`` (Redis or its generation is gone: the popular list that this
    process saw last) or ``none`` (no items: this process has never read a published generation).
    `model` is `None` where no model made the list; `age_s` counts from publication.
    """

    items: tuple[Item, ...]
    source: str
    generation: int | None = None
    model: str | None = None
    age_s: float | None = None


@dataclass(frozen=True)
class Status:
    """What stands in Redis: `live` is `None` where nothing does, `error` says what went wrong.

    `pinned` is the generation that is held live against every flip, where one is; `canary` the one
    that a share of the users (`live.canary`) is served; `n_blocked` counts withdrawn items.
    """

    reachable: bool
    live: Manifest | None = None
    age_s: float | None = None
    states: Mapping[int, str] = field(default_factory=dict)
    server: str | None = None
    pinned: int | None = None
    canary: Manifest | None = None
    n_blocked: int = 0
    error: str | None = None


def answer(ranked: RankedList, n: int, source: str, live: Manifest) -> Result:
    """Cut a list of the generation `live` to its first `n` items."""
    items = tuple(map(Item, ranked.items[:n], ranked.scores[:n], ranked.reasons[:n]))
    model = live.default_model if source in ("list", "similar") else None
    return Result(items, source, live.generation, model, age_s(live))


def as_live(live: Manifest, canary: Canary) -> Manifest:
    """Return what the users of a canary read in place of the live manifest."""
    return replace(
        live,
        generation=canary.generation,
        default_model=canary.default_model,
        published_at=canary.since,
    )


def age_s(manifest: Manifest) -> float | None:
    """Return the seconds since a generation was published; `None` where it never was."""
    published_at = instant(manifest.published_at)
    if published_at is None:
        return None
    return max(0.0, (datetime.now(UTC) - published_at).total_seconds())
