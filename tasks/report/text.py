"""Text of the report: numbers with units, times in UTC, sentences."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nightshelf.text import age_text, size_text

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


def duration(seconds: float) -> str:
    """Return a duration, with a decimal below a minute.

    >>> duration(0.25), duration(72.4), duration(3725)
    ('0.2 s', '1 min 12 s', '1 h 2 min')
    """
    return f"{seconds:.1f} s" if seconds < 59.95 else age_text(round(seconds))


def instant(iso: str) -> str:
    """Return a time in full, in UTC.

    >>> instant("2026-11-02T01:00:00+01:00")
    'Monday 2 November 2026, 00:00 UTC'
    """
    time = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{time:%A} {time.day} {time:%B %Y, %H:%M} UTC"


def words(name: str) -> str:
    """Return a step's or a state's name in words."""
    return name.replace("_", " ")


def training(model: Mapping[str, Any]) -> str:
    """Describe the training of the model.

    >>> training({"iterations": 5, "started_from": 41})
    '5 iterations from generation 41 on'
    >>> training({"iterations": 15, "started_from": None})
    '15 iterations, begun anew'
    """
    start = model["started_from"]
    began = ", begun anew" if start is None else f" from generation {start} on"
    return f"{count(model['iterations'])} iterations{began}"


def saved(memory: Mapping[str, Any]) -> str:
    """Describe the memory saved on inactive users; empty if there are none.

    >>> saved({"inactive_users": 1200, "bytes_saved": 2_500_000})
    ' 1,200 inactive users have no list of their own, which saves about 2.5 MB in Redis.'
    """
    if not memory["inactive_users"]:
        return ""
    return (
        f" {count(memory['inactive_users'])} inactive users have no list of their own, which saves "
        f"about {size_text(memory['bytes_saved'])} in Redis."
    )


def gate_rows(gates: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return rows of a gate's figure, its value, limit and outcome."""
    return [
        (
            gate["says"],
            "-" if gate["value"] is None else gate["shown"],
            gate["limit"],
            _OUTCOMES.get(gate["outcome"], "nothing to compare with"),
        )
        for gate in gates
    ]


def type_counts(log: Mapping[str, Any]) -> dict[str, int]:
    """Return the events of each type; types without a weight are marked.

    >>> type_counts({"event_types": {"view": 5, "order": 2}, "unweighed": {"order": 2}})
    {'view': 5, 'order: no weight, teaches nothing': 2}
    """
    mark = ": no weight, teaches nothing"
    return {kind + mark * (kind in log["unweighed"]): n for kind, n in log["event_types"].items()}


def with_warnings(verdict: str, warnings: Sequence[str]) -> str:
    """Append the number of warnings to a sentence.

    >>> with_warnings("Coverage off target", []), with_warnings("Targets met", ["a", "b"])
    ('Coverage off target', 'Targets met, and 2 warnings')
    """
    n = len(warnings)
    return f"{verdict}, and {n} warning{'s' * (n > 1)}" if n else verdict


def measured_on(memory: Mapping[str, Any] | None) -> str:
    """Name the lists that the figures are of."""
    if memory is None:
        return "Measured on the lists as they were computed: nothing of them was published."
    return f"Measured on the lists whose digest Redis returned: {memory['digest']}."
