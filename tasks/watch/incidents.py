"""The state machine of incidents: pure, by the clock that each pass is given.

An incident opens when all readings over a rule's dwell time were bad, gets worse when all over that
time were critical, and ends when all over `clear_s` were ok. Its level never goes down. An unknown
reading is neither: it ends no incident and opens none, and time begins anew after it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Streak:
    """Since when all of a rule's readings have been bad, critical, or ok (Unix seconds)."""

    bad: float | None = None
    critical: float | None = None
    ok: float | None = None

    def then(self, level: str, at: float) -> "Streak":
        """Return the streak after one more reading."""

        def since(goes_on: bool, before: float | None) -> float | None:
            return None if not goes_on else at if before is None else before

        return Streak(
            since(level in ("warning", "critical"), self.bad),
            since(level == "critical", self.critical),
            since(level == "ok", self.ok),
        )


def level_after(
    before: str | None, streak: Streak, at: float, *, for_s: float, clear_s: float
) -> str | None:
    """Return the level of a rule's incident after a reading, `None` where there is none.

    `before` is the level of the open one; `streak` has the reading already.
    """

    def lasts(since: float | None, seconds: float) -> bool:
        return since is not None and at - since >= seconds

    if lasts(streak.critical, for_s):
        return "critical"
    if before is not None:
        return None if lasts(streak.ok, clear_s) else before
    return "warning" if lasts(streak.bad, for_s) else None
