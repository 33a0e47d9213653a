"""How a shelf reads, keeps and tells: figures and rules, with what speaks for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Effect:
    """What an action does at once, beside being recorded.

    `masks`: the item is shown to that user no more until the night has seen the action.
    `invalidates`: what processes keep of the user (list, row, mask) is dropped. `refreshes`: the
    user is put down for a fresh list.
    """

    masks: bool = False
    invalidates: bool = False
    refreshes: bool = False


#: What is done with an item (or, for a profile, without one), and what that does. Whatever is told
#: of an item, but that it was shown, is in the feature rows at once.
ACTIONS: Mapping[str, Effect] = MappingProxyType(
    {
        "purchase": Effect(masks=True, invalidates=True, refreshes=True),
        "rating": Effect(masks=True, invalidates=True, refreshes=True),
        "add_to_cart": Effect(invalidates=True, refreshes=True),
        "wishlist_add": Effect(invalidates=True, refreshes=True),
        "profile_update": Effect(invalidates=True, refreshes=True),
        "view": Effect(),
    }
)


@dataclass(frozen=True)
class ReadSettings:
    """Settings of one shelf.

    - `deadline_s`: a whole call's time with Redis, however many round trips it takes; `None` is
      the `socket_timeout` that the client was made with, 50 ms where it was made with none.
    - `*_ttl_s`: how long a process keeps what it read before it asks again. What belongs to a user
      is kept briefly, since another process may hear of an action; a process that listens
      (`Shelf.listening`) is told, and keeps it for `told_ttl_s`.
    - `stale_s`: how long beyond that a copy serves where Redis fails.
    - `max_entries`, `max_bytes`: bounds of what is kept, the latter an estimate of memory;
      `max_bytes=0` keeps nothing.
    - `beta`: how early hot keys are read anew (XFetch); 0 is never before their time.
    - `breaker_after` failures in a row open the breaker; one call every `breaker_wait_s` tries.
    - `actions`: by name, what each does.
    - `lately_user_s`, `lately_item_s`: how long Redis adds what it is told to rows that do not hold
      it: to a user's from the last action on, to an item's from the first. Then it is again as the
      refresh, or the night, left it.
    - `max_events`: about how many entries the event stream holds before the oldest go.
    """

    deadline_s: float | None = None
    list_ttl_s: float = 5.0
    mask_ttl_s: float = 1.0
    told_ttl_s: float = 60.0
    item_ttl_s: float = 30.0
    popular_ttl_s: float = 30.0
    stale_s: float = 3600.0
    max_entries: int = 50_000
    max_bytes: int = 64 * 2**20
    beta: float = 1.0
    breaker_after: int = 3
    breaker_wait_s: float = 0.5
    actions: Mapping[str, Effect] = field(default_factory=lambda: ACTIONS)
    lately_user_s: int = 3600
    lately_item_s: int = 6 * 3600
    max_events: int = 1_000_000
