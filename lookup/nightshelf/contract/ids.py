"""Ids as apps have them, and as the contract does: text."""

import logging
import operator
from collections.abc import Iterable
from typing import TypeGuard
from uuid import UUID

from nightshelf.errors import InvalidKey

_log = logging.getLogger("nightshelf")
_said: set[type] = set()


def id_text(given: object) -> str:
    """Return an id as text: the text itself, of a whole number or a UUID its text, UTF-8 of bytes.

    Anything else is no id, and `""`: `None` (nobody is logged in), a float (7.0 may be 7 or "7.0"),
    a bool. A reader answers it as a stranger; a type other than `None` is logged once.

    >>> id_text("7"), id_text(7), id_text(b"7"), id_text(None), id_text(7.0)
    ('7', '7', '7', '', '')
    """
    if isinstance(given, str):
        return given
    if isinstance(given, UUID):
        return str(given)
    try:
        if isinstance(given, bytes):
            return given.decode()
        if not isinstance(given, bool):
            return str(operator.index(given))  # type: ignore[arg-type]
    except (TypeError, UnicodeDecodeError):
        pass
    if given is not None and type(given) not in _said:
        _said.add(type(given))
        _log.warning("%r was given as an id and is none: ids are text or whole numbers", given)
    return ""


def checked_text(given: object) -> str:
    """Return an id as text, as `id_text` does; `InvalidKey` for what is none."""
    text = id_text(given)
    if not text and given != "":
        kind = type(given).__name__
        raise InvalidKey(f"an id is text or a whole number, not {kind}: {repr(given)[:40]}")
    return text


def is_one(given: object) -> TypeGuard[str]:
    """Tell whether what was given is one id, or none, rather than many; text as far as types go."""
    return isinstance(given, str | bytes) or not isinstance(given, Iterable)
