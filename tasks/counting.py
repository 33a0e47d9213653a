"""How a night counts event types, as its manifest tells clients and the service."""

from nightshelf.counting import Counting
from tasks.event_settings import EventSettings
from tasks.feature_settings import FeatureSettings
from tasks.tally_types import RECENT


def counting_of(events: EventSettings, features: FeatureSettings) -> Counting:
    """Return the night's own settings, as far as readers and trackers need them."""
    return Counting(
        weights=features.weights,
        half_life_days=features.half_life_days,
        views=features.view_types,
        ratings=features.rating_types,
        idle=events.idle,
        n_recent=RECENT,
        purchases=features.purchase_types,
        seen=features.seen,
    )
