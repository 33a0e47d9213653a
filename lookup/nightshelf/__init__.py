"""Nightshelf's lookup: recommendation lists by key, out of Redis."""

from nightshelf.answers import Counters, Item, Result, Status
from nightshelf.async_shelf import AsyncShelf
from nightshelf.effects import ACTIONS, Effect
from nightshelf.errors import (
    CorruptValue,
    InvalidCursor,
    InvalidKey,
    NightshelfError,
    TransitionRefused,
)
from nightshelf.filters import Filters
from nightshelf.reading.acting import Told
from nightshelf.reading.event import Event
from nightshelf.settings import ReadSettings
from nightshelf.shelf import Shelf
from nightshelf.values import Manifest, RankedList

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
    "Told",
    "TransitionRefused",
]
