"""How a night counts event types, as its manifest tells clients and the service."""

from nightshelf.contract.feature_rules import Counting
from tasks.features.settings import FeatureSettings
from tasks.features.totals import RECENT
from tasks.ingest.settings import EventSettings


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
