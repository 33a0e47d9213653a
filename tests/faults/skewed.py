"""A process whose own clock is wrong, beside a Redis whose clock is right."""

import datetime as real
import sys
import time

import pytest

#: The packages that run beside Redis, and must not ask their own clock how old anything in it is.
_OURS = ("nightshelf", "tasks", "flows", "nightshelf_ops")


def skew(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    """Set every clock that our code can ask `hours` ahead, or behind where below 0."""
    by, wall_s = real.timedelta(hours=hours), time.time

    class Skewed(real.datetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> "Skewed":
            at = real.datetime.now(tz) + by
            return cls.fromtimestamp(at.timestamp(), tz)

    monkeypatch.setattr(time, "time", lambda: wall_s() + by.total_seconds())
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in _OURS and getattr(module, "datetime", None) is real.datetime:
            monkeypatch.setattr(module, "datetime", Skewed)
