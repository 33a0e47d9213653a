"""How a report says things: numbers with units, times in UTC, sentences of what happened."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

#: The heads of `gate_rows`.
GATE_HEADS = ("Gate", "Tonight", "Expected", "Outcome")
_OUTCOMES = {"pass": "✓ pass", "warn": "! warns", "block": "✗ blocks"}


def count(value: float) -> str:
    """Return a whole number with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,.0f}"


def percent(value: float) -> str:
    """Return a share as a percentage.

    >>> percent(0.6184)
    '61.8 %'
    """
    return f"{100 * value:.1f} %"


def ratio(value: float) -> str:
    """Return a figure between 0 and a few.

    >>> ratio(0.8149)
    '0.815'
    """
    return f"{value:.3f}"


def size(n_bytes: float) -> str:
    """Return an amount of memory, in powers of 1,000.

    >>> size(512), size(1_900), size(123_456_789)
    ('512 B', '1.9 kB', '123.5 MB')
    """
    for unit in ("B", "kB", "MB"):
        if n_bytes < 999.95:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} GB"


def duration(seconds: float) -> str:
    """Return a length of time.

    >>> duration(0.25), duration(72.4), duration(3725)
    ('0.2 s', '1 min 12 s', '1 h 02 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def instant(iso: str) -> str:
    """Return a time as people read it, in UTC.

    >>> instant("2026-11-02T01:00:00+01:00")
    'Monday 2 November 2026, 00:00 UTC'
    """
    time = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{time:%A} {time.day} {time:%B %Y, %H:%M} UTC"


def words(name: str) -> str:
    """Return a step's or a state's name in words."""
    return name.replace("_", " ")


def training(model: Mapping[str, Any]) -> str:
    """Say how the model was trained.

    >>> training({"iterations": 5, "started_from": 41})
    '5 iterations from generation 41 on'
    >>> training({"iterations": 15, "started_from": None})
    '15 iterations, begun anew'
    """
    start = model["started_from"]
    began = ", begun anew" if start is None else f" from generation {start} on"
    return f"{count(model['iterations'])} iterations{began}"


def saved(memory: Mapping[str, Any]) -> str:
    """Say what is saved on users who were not here lately; nothing where everybody has a list.

    >>> saved({"inactive_users": 1200, "bytes_saved": 2_500_000})
    ' 1,200 inactive users have no list of their own, which saves about 2.5 MB in Redis.'
    """
    if not memory["inactive_users"]:
        return ""
    return (
        f" {count(memory['inactive_users'])} inactive users have no list of their own, which saves "
        f"about {size(memory['bytes_saved'])} in Redis."
    )


def gate_rows(gates: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return rows of what a gate looks at, its figure, its limit and what came of it."""
    return [
        (
            gate["says"],
            "-" if gate["value"] is None else f"{gate['value']:.3g}",
            gate["limit"],
            _OUTCOMES.get(gate["outcome"], "nothing to compare with"),
        )
        for gate in gates
    ]


def type_counts(log: Mapping[str, Any]) -> dict[str, int]:
    """Return the events of each type, those marked whose type has no weight.

    >>> type_counts({"event_types": {"view": 5, "order": 2}, "unweighed": {"order": 2}})
    {'view': 5, 'order: no weight, teaches nothing': 2}
    """
    mark = ": no weight, teaches nothing"
    return {kind + mark * (kind in log["unweighed"]): n for kind, n in log["event_types"].items()}


def with_warnings(verdict: str, warnings: Sequence[str]) -> str:
    """Add to a sentence how many warnings there are.

    >>> with_warnings("Coverage off target", []), with_warnings("Targets met", ["a", "b"])
    ('Coverage off target', 'Targets met, and 2 warnings')
    """
    n = len(warnings)
    return f"{verdict}, and {n} warning{'s' * (n > 1)}" if n else verdict


def measured_on(memory: Mapping[str, Any] | None) -> str:
    """Say which lists the figures are of."""
    if memory is None:
        return "Measured on the lists as they were computed: nothing of them was published."
    return f"Measured on the lists whose digest Redis returned: {memory['digest']}."
