"""Settings of the lookup client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from nightshelf.contract.effects import Effect

#: Share of a call's time in which Redis is asked: an answer from copies takes the rest.
ASKED = 0.9


@dataclass(frozen=True)
class ReadSettings:
    """Settings of one shelf.

    - `deadline_s`: time of a whole call, over all its round trips; `None` takes the client's
      `socket_timeout`, or 50 ms. In its last tenth (`ASKED`) the call answers from what it has.
    - `list_ttl_s`, `item_ttl_s`, `popular_ttl_s`: how long a value is served from the process.
    - `mask_ttl_s`: the same for a user's own values: brief, as another process may
      record an action.
    - `listening_ttl_s`: the same in a process that is notified of actions (`Shelf.listening`).
    - `stale_s`: how much longer a copy is served while Redis fails.
    - `max_entries`, `max_bytes`: bounds of the cache, the latter an estimate of memory;
      `max_bytes=0` caches nothing.
    - `beta`: how early hot keys are read again (XFetch); 0 is never early.
    - `breaker_after`: failures in a row that open the breaker.
    - `breaker_wait_s`: time between calls that probe Redis while the breaker is open.
    - `actions`: effects by event type, in place of those that the live generation defines
      (`nightshelf.contract.effects`).
    - `recent_user_ttl_s`, `recent_item_ttl_s`: how long tracked events are merged into feature
      rows: of a user from the last event on, of an item from the first.
    - `max_events`: tracked events that may wait to be collected, about; further ones are refused
      (cause ``full``) while their effects are still applied.
    """

    deadline_s: float | None = None
    list_ttl_s: float = 5.0
    mask_ttl_s: float = 1.0
    listening_ttl_s: float = 60.0
    item_ttl_s: float = 30.0
    popular_ttl_s: float = 30.0
    stale_s: float = 3600.0
    max_entries: int = 50_000
    max_bytes: int = 64 * 2**20
    beta: float = 1.0
    breaker_after: int = 3
    breaker_wait_s: float = 0.5
    actions: Mapping[str, Effect] = field(default_factory=lambda: MappingProxyType({}))
    recent_user_ttl_s: int = 3600
    recent_item_ttl_s: int = 6 * 3600
    max_events: int = 1_000_000
