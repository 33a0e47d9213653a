"""Counts of a step's record in its log line."""

from dataclasses import dataclass, field

from flows import _summary


@dataclass
class Counted:
    """Counts, one of them not known, and one by kind."""

    n_events: int = 1_200
    n_late_events: int = 0
    n_lists: int | None = None
    n_judged: dict[str, int] = field(default_factory=lambda: {"by time": 3})
    path: str = "events"


def test_only_plain_counts_are_in_words() -> None:
    assert _summary(Counted()) == "1,200 events, 0 late events "
    assert _summary(None) == ""
