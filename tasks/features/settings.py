"""Settings of features: weights, decay and rules of event types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import PositiveFloat

from nightshelf.contract.feature_rules import PURCHASE


@dataclass(frozen=True)
class FeatureSettings:
    """Weights, decay and roles of event types.

    - `weights`: strength of an event by type; negative counts against the item. The model learns
      nothing from a type that is not named or weighs 0.
    - `half_life_days`: age at which an event counts half to what models learn.
    - `profile_half_life_days`: the same to a user's profile, from which the graph's links start.
    - `seen`: types after which an item is not recommended to that user again.
    - `rating_types`: types whose `value` is a rating.
    - `view_types`: types that are views.
    - `purchase_types`: types that are purchases, whose `value` is the revenue; the first is that of
      a tracked conversion. Without any: `purchase`, or, if neither `weights` nor `seen` names that,
      the types in `seen` of positive weight that are neither ratings nor views.
    """

    weights: dict[str, float] = field(
        default_factory=lambda: {
            "purchase": 5.0,
            "like": 4.0,
            "add_to_cart": 3.0,
            "wishlist_add": 2.0,
            "rating": 1.0,
            "click": 1.0,
            "view": 1.0,
            "impression": 0.0,
            "dislike": -3.0,
            "return": -5.0,
        }
    )
    half_life_days: PositiveFloat = 60.0
    profile_half_life_days: PositiveFloat = 7.0
    seen: tuple[str, ...] = ("purchase", "like", "rating", "dislike", "return")
    rating_types: tuple[str, ...] = ("rating", "like", "dislike")
    view_types: tuple[str, ...] = ("view", "click")
    purchase_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Set the types of purchases if the settings do not."""
        object.__setattr__(self, "purchase_types", self.purchase_types or _purchases(self))

    def unweighed(self, event_types: Mapping[str, int]) -> dict[str, int]:
        """Return the counts of types that `weights` does not name, most events first."""
        unnamed = {kind: n for kind, n in event_types.items() if kind not in self.weights}
        return dict(sorted(unnamed.items(), key=lambda each: (-each[1], each[0])))

    def n_teaching(self, event_types: Mapping[str, int]) -> int:
        """Count the events of types with a weight."""
        return sum(n for kind, n in event_types.items() if self.weights.get(kind))

    def doubts(self) -> Iterator[str]:
        """Yield a warning for each default that does not fit weights of other names."""
        weighed = ", ".join(self.weights)
        if self.seen and not self.weights.keys() & set(self.seen):
            yield (
                f"features.seen ({', '.join(self.seen)}) has no type of features.weights "
                f"({weighed}): nothing takes an item off a user's lists. Name those that do"
            )
        other = {*self.rating_types, *self.view_types}
        teaching = (each for each, weight in self.weights.items() if weight > 0)
        if not self.weights.keys() & set(self.purchase_types) and not other.issuperset(teaching):
            yield (
                f"features.purchase_types ({', '.join(self.purchase_types)}) has no type of "
                f"features.weights ({weighed}): tracked conversions teach nothing. Name yours"
            )


def _purchases(settings: FeatureSettings) -> tuple[str, ...]:
    """Return the types of purchases that the other settings suggest; at least one."""
    if PURCHASE in settings.weights or PURCHASE in settings.seen:
        return (PURCHASE,)
    other = {*settings.rating_types, *settings.view_types}
    bought = [each for each in settings.seen if settings.weights.get(each, 0) > 0]
    return tuple(each for each in bought if each not in other) or (PURCHASE,)
