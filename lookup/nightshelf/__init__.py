"""Nightshelf's lookup: recommendation lists by key, out of Redis."""

from nightshelf.answers import Item, Result, Status
from nightshelf.errors import CorruptValue, InvalidKey, NightshelfError, TransitionRefused
from nightshelf.shelf import Shelf
from nightshelf.values import Manifest, RankedList

__all__ = [
    "CorruptValue",
    "InvalidKey",
    "Item",
    "Manifest",
    "NightshelfError",
    "RankedList",
    "Result",
    "Shelf",
    "Status",
    "TransitionRefused",
]
