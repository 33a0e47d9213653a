"""How a shelf reads, keeps and tells: figures and rules, with what speaks for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from nightshelf.contract.effects import Effect


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
    - `actions`: by name, what an action does in place of what the live night says of its type
      (`nightshelf.contract.effects`).
    - `lately_user_s`, `lately_item_s`: how long Redis adds what it is told to rows that do not hold
      it: to a user's from the last action on, to an item's from the first. Then it is again as the
      refresh, or the night, left it.
    - `max_events`: about how many tracked events may wait to be collected; beyond that new ones are
      refused (cause ``full``), and what they do at once is done all the same.
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
    actions: Mapping[str, Effect] = field(default_factory=lambda: MappingProxyType({}))
    lately_user_s: int = 3600
    lately_item_s: int = 6 * 3600
    max_events: int = 1_000_000
