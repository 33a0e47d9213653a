"""What an action does at once, beside being recorded: by the night's own definition of its types.

The live generation's manifest says which event types mask, are views, are purchases, teach
(`nightshelf.contract.feature_rules`), so an app names its actions as its log does, and sets
nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nightshelf.contract.feature_rules import Counting


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


_NOTED = Effect()
_CHANGES = Effect(invalidates=True, refreshes=True)
_TAKES_OFF = Effect(masks=True, invalidates=True, refreshes=True)
#: Recorded, with no effect on the lists that are there; the refresh decides whether it matters.
UNKNOWN = Effect(refreshes=True)

#: The effects where no generation says which types it knows: before the first night, and of
#: generations that are older than `Counting.seen`.
ACTIONS: Mapping[str, Effect] = MappingProxyType(
    {
        "purchase": _TAKES_OFF,
        "rating": _TAKES_OFF,
        "add_to_cart": _CHANGES,
        "wishlist_add": _CHANGES,
        "profile_update": _CHANGES,
        "view": _NOTED,
    }
)


def effect_of(
    event_type: str,
    item_id: str | None,
    counting: Counting | None,
    overrides: Mapping[str, Effect],
) -> Effect | None:
    """Return what an action does: the app's own word for it, else the night's; `None` if unknown.

    >>> night = Counting({"order": 5.0, "page": 1.0}, 60.0, ("page",), (), ("shown",), 20,
    ...                  seen=("order",))
    >>> effect_of("order", "B2", night, {}).masks, effect_of("page", "B2", night, {}).refreshes
    (True, False)
    >>> effect_of("ordr", "B2", night, {}) is None
    True
    """
    if event_type in overrides:
        return overrides[event_type]
    if counting is None or counting.seen is None:
        return ACTIONS.get(event_type)
    if event_type in counting.seen:
        return _TAKES_OFF
    if event_type in counting.idle and item_id is None:
        return _CHANGES  # of the user's profile
    if {event_type}.intersection([*counting.ratings, *counting.purchases]):
        return _CHANGES
    return _by_weight(event_type, counting)


def _by_weight(event_type: str, counting: Counting) -> Effect | None:
    """Return what a type does that only teaches, is only viewed, or is passed over on purpose."""
    if event_type in counting.views or not counting.weights.get(event_type):
        return _NOTED if counting.knows(event_type) else None
    return _CHANGES
