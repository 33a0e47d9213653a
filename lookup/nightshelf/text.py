"""Text for people: reasons, durations, sizes, times."""

from collections.abc import Mapping
from datetime import UTC

from nightshelf.contract.values import Reason, instant

_ALONE = {
    "again": "you have been at it before",
    "taste": "suits your overall taste",
    "trending": "trending",
    "new": "new",
}


def reason_text(reason: Reason, titles: Mapping[str, str]) -> str:
    """Format the reason of an item; `titles` by item id, the id where there is none.

    >>> reason_text(("because", "C9"), {"C9": "Night lamp"})
    'because of Night lamp'
    >>> reason_text(("popular", "category:Toys"), {}), reason_text(("popular", "all"), {})
    ('popular in Toys', 'popular with everyone')
    >>> reason_text(("discover", "Toys"), {})
    'something else in Toys'
    """
    code, *needs = reason or ("",)
    if not needs:
        return _ALONE.get(code, code)
    what = needs[0]
    if code == "popular":
        return "popular with everyone" if what == "all" else f"popular in {segment_text(what)}"
    if code == "discover":
        return f"something else in {what}"
    verb = {"because": "because of", "similar": "like"}.get(code, code)
    return f"{verb} {titles.get(what, what)}"


def segment_text(segment: str) -> str:
    """Format a segment without its kind.

    >>> segment_text("segment:gold")
    'gold'
    """
    return segment.partition(":")[2] or segment


def age_text(age_s: float | None) -> str:
    """Round a duration to its two largest units.

    >>> age_text(42.7), age_text(3 * 3600 + 12 * 60), age_text(50 * 3600)
    ('42 s', '3 h 12 min', '2 d 2 h')
    """
    if age_s is None:
        return "an unknown time"
    minutes, seconds = divmod(int(age_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((at for at, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def size_text(n_bytes: int) -> str:
    """Round a number of bytes to three digits, in steps of 1,000.

    >>> size_text(0), size_text(12_345_678)
    ('0 B', '12.3 MB')
    """
    size, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.3g} {units[0]}"


def minute_text(text: str) -> str:
    """Format a time of the contract to the minute, midnight to the day, in UTC."""
    time = instant(text)
    if time is None:
        return text or "-"
    minute = time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return minute.removesuffix(" 00:00")
