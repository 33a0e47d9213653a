"""Values of ``watch`` and ``incidents``: the figures of a pass, and an incident."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from nightshelf.errors import CorruptValue

#: Levels of a figure, the worst last; `unknown` stands beside them: nothing is known to be wrong.
LEVELS = ("ok", "warning", "critical")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class _Record:
    """A record that is read from JSON, passing over fields that a later version may have added."""

    @classmethod
    def from_raw(cls, raw: Any) -> Self:
        """Take from decoded JSON; `CorruptValue` where a field is missing, or `raw` is no table."""
        try:
            known = {each.name for each in fields(cls)}
            return cls(**{name: value for name, value in raw.items() if name in known})
        except (AttributeError, TypeError) as error:
            raise CorruptValue(f"not of the watch: {str(raw)[:80]!r}") from error


@dataclass(frozen=True)
class Reading(_Record):
    """A rule's figure in one pass.

    `value` is `None` where the figure is unknown, `level` one of `LEVELS` or `UNKNOWN`, `says` a
    sentence with figure and reason, `limit` the threshold that it crossed (else the first that it
    could), `as_of` the time of the figure (ISO 8601), `median` of the figure in the past.
    """

    rule: str
    value: float | None
    level: str
    says: str
    limit: float | None = None
    as_of: str = ""
    median: float | None = None


@dataclass(frozen=True)
class WatchPass:
    """One pass of the watch: its time (ISO 8601, UTC) and a figure a rule."""

    at: str
    figures: tuple[Reading, ...]

    def to_json(self) -> str:
        """Encode as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, value: bytes | str) -> Self:
        """Decode; `CorruptValue` where the value is no pass."""
        raw = _decoded(value)
        figures = raw.get("figures")
        if not isinstance(raw.get("at"), str) or not isinstance(figures, list):
            raise CorruptValue(f"not a pass of the watch: {value[:80]!r}")
        return cls(raw["at"], tuple(map(Reading.from_raw, figures)))


@dataclass(frozen=True)
class Incident(_Record):
    """A rule that was broken for its dwell time.

    `id` is the rule and the time it began, `level` the worst so far, `since` when the figure first
    crossed the threshold, `ended` when it had come back, else `None`; times are ISO 8601 in UTC.
    `says` is a sentence, `changed` lines on what differs from the last good night, `advice` what to
    do first, `runbook` the page and section that say more. `sent` gives the state of each message
    by kind: opened, worse, ended.
    """

    id: str
    rule: str
    level: str
    since: str
    ended: str | None = None
    says: str = ""
    changed: tuple[str, ...] = ()
    advice: str = ""
    runbook: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "changed", tuple(self.changed))

    def to_json(self) -> str:
        """Encode as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, value: bytes | str) -> Self:
        """Decode; `CorruptValue` where the value is no incident."""
        return cls.from_raw(_decoded(value))


def _decoded(value: bytes | str) -> dict[str, Any]:
    try:
        raw = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise CorruptValue(f"not of the watch: {value[:80]!r}") from error
    if not isinstance(raw, dict):
        raise CorruptValue(f"not of the watch: {value[:80]!r}")
    return raw
