"""Nightshelf's client: recommendation lists and feature rows from Redis, and tracking of events.

`Shelf` and `AsyncShelf` are the clients, `ReadSettings` their settings, `nightshelf.errors` the
exceptions; the contract of the keys is `nightshelf.contract`.
"""

from nightshelf.client.async_shelf import AsyncShelf
from nightshelf.client.core.tracking import TrackingReceipt
from nightshelf.client.event import Event
from nightshelf.client.filters import Filters
from nightshelf.client.results import Counters, Item, Result, Status
from nightshelf.client.settings import ReadSettings
from nightshelf.client.shelf import Shelf
from nightshelf.contract.effects import ACTIONS, Effect
from nightshelf.contract.values import Manifest, RankedList
from nightshelf.errors import (
    CorruptValue,
    InvalidCursor,
    InvalidKey,
    NightshelfError,
    TransitionRefused,
)

__all__ = [
    "ACTIONS",
    "AsyncShelf",
    "CorruptValue",
    "Counters",
    "Effect",
    "Event",
    "Filters",
    "InvalidCursor",
    "InvalidKey",
    "Item",
    "Manifest",
    "NightshelfError",
    "RankedList",
    "ReadSettings",
    "Result",
    "Shelf",
    "Status",
    "TrackingReceipt",
    "TransitionRefused",
]
