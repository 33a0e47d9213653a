"""Immediate effects of a tracked action, by the night's own definition of event types.

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
    """Immediate effects of an action, beside its recording.

    `masks`: the item is masked for that user until the night has the action. `invalidates`: cached
    data of the user (list, row, mask) is dropped. `refreshes`: the user enters the refresh queue.
    """

    masks: bool = False
    invalidates: bool = False
    refreshes: bool = False


_NOTED = Effect()
_CHANGES = Effect(invalidates=True, refreshes=True)
_TAKES_OFF = Effect(masks=True, invalidates=True, refreshes=True)
#: Recorded and queued for the refresh, without effect on present lists.
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
    """Return an action's effect: the app's override, else the night's; `None` if unknown.

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
    """Return the effect of a type that has only a weight, is a view, or is ignored on purpose."""
    if event_type in counting.views or not counting.weights.get(event_type):
        return _NOTED if counting.knows(event_type) else None
    return _CHANGES
