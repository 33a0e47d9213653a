"""Formats of figures and times, each a filter of the templates by its own name."""

from collections.abc import Callable
from datetime import UTC, datetime

from nightshelf.text import age_text, minute_text, size_text

NONE = "\N{EN DASH}"


def number(value: float | None) -> str:
    """Format a count in full, any other number to three digits.

    >>> number(12_345), number(0.123456), number(None)
    ('12,345', '0.123', '–')
    """
    if value is None:
        return NONE
    if value == int(value) or abs(value) >= 1_000:
        return f"{round(value):,}"
    return f"{value:.3g}"


def percent(share: float | None) -> str:
    """Format a share as a percentage.

    >>> percent(0.1234), percent(0)
    ('12.3 %', '0 %')
    """
    if share is None:
        return NONE
    return f"{100 * share:.3g} %" if abs(share) < 1 else f"{100 * share:.0f} %"


def ms(seconds: float | None) -> str:
    """Format seconds as milliseconds.

    >>> ms(0.00123)
    '1.23 ms'
    """
    return NONE if seconds is None else f"{number(1_000 * seconds)} ms"


def age(seconds: float | None) -> str:
    """Format a duration in seconds by its two largest units."""
    return NONE if seconds is None else age_text(seconds)


def size(n_bytes: float | None) -> str:
    """Format a number of bytes."""
    return NONE if n_bytes is None else size_text(int(n_bytes))


def minute(time: str | datetime | None) -> str:
    """Format a time to the minute, in UTC."""
    if isinstance(time, datetime):
        time = time.astimezone(UTC).isoformat()
    return minute_text(time) if time else NONE


FILTERS: dict[str, Callable[..., str]] = {
    "number": number,
    "percent": percent,
    "ms": ms,
    "age": age,
    "size": size,
    "minute": minute,
}
