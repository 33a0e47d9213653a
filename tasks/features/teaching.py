"""Warnings about events without a weight and items without a category."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from tasks.features.settings import FeatureSettings

#: Event types without a weight that a warning names.
_NAMED_TYPES = 5
#: Share of the catalogue without a category from which on a warning is given.
_MANY_UNKNOWN = 0.1


def unweighed_words(event_types: Mapping[str, int], settings: FeatureSettings) -> Iterator[str]:
    """Yield a warning of event types without a weight, with counts, shares and remedy.

    `event_types` counts the events of each type, idle ones left out.
    """
    found, n_events = settings.unweighed(event_types), sum(event_types.values())
    if not found:
        return
    named = [f"{kind!r} ({n:,}, {n / n_events:.1%})" for kind, n in found.items()]
    rest = len(named) - _NAMED_TYPES
    more = f" and {rest:,} more types" if rest > 0 else ""
    yield (
        f"{sum(found.values()):,} of {n_events:,} events teach nothing, since no weight is set for "
        f"their type: {', '.join(named[:_NAMED_TYPES])}{more}. Name them in [features.weights], "
        "with 0 if they are to teach nothing, or in events.idle."
    )


def uncategorised_words(n_unknown: int, n_items: int) -> Iterator[str]:
    """Yield a warning if many items have no category: cap and diversity lose their meaning."""
    if n_unknown and n_unknown >= _MANY_UNKNOWN * n_items:
        yield (
            f"{n_unknown:,} of {n_items:,} items ({n_unknown / n_items:.1%}) have no category: a "
            "page may hold any number of them, and category diversity counts them as one category."
        )


def nothing_to_learn(
    where: object, as_of: datetime, types: Mapping[str, int], settings: FeatureSettings
) -> str:
    """Return the error for a log without events of positive weight."""
    found = ", ".join(f"{kind} ({n:,})" for kind, n in types.items()) or "no events"
    return (
        f"{where}: up to {as_of:%Y-%m-%d %H:%M} UTC it holds {found}; none says "
        f"anything for an item. Types with a positive weight: "
        f"{', '.join(kind for kind, weight in settings.weights.items() if weight > 0)}. "
        "Check --as-of, or name your types in NIGHTSHELF_FEATURES__WEIGHTS."
    )
