"""Answer of `nightshelf why` about a user and an item."""

from dataclasses import dataclass
from typing import Any

from nightshelf.client.results import Result
from nightshelf.contract.values import Manifest
from tasks.explain.trace import Person, Place


@dataclass(frozen=True)
class Answer:
    """The list that Redis serves, and its trace in the run's folder.

    `own` says how the user's own key stands: ``served``, ``absent``, ``unreadable`` or ``blocked``
    (all of its items are). `person` is `None` for a user without factors, `place` where no item was
    asked for; `missing` says why the folder tells nothing. `rows` are the feature rows of the items
    that the answer names. `expired` says that the time of the generation's keys is over.
    """

    user: str
    item: str | None
    served: Result
    manifest: Manifest | None
    canary: bool
    own: str
    row: dict[str, Any] | None
    blocked: bool
    acted: bool
    person: Person | None
    place: Place | None
    missing: str | None
    rows: dict[str, dict[str, Any]]
    expired: bool

    @property
    def position(self) -> int | None:
        """Place of the item in the served list, from 1."""
        ids = [item.item_id for item in self.served.items]
        return ids.index(self.item) + 1 if self.item in ids else None
