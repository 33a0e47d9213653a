"""The night's rules of event types, as its manifest gives them to clients and the service."""

from nightshelf.contract.feature_rules import Counting
from tasks.features.lengths import RECENT
from tasks.features.settings import FeatureSettings
from tasks.ingest.settings import EventSettings


def counting_of(events: EventSettings, features: FeatureSettings) -> Counting:
    """Return the settings that readers and trackers need."""
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
