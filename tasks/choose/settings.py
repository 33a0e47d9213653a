"""Settings of the choice."""

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import PositiveFloat, PositiveInt


@dataclass(frozen=True)
class ChooseSettings:
    """Settings of the choice; docs/decisions/0046-blend.md has the measurements.

    - `hold`: keep the half-lives and weights of the settings, and judge nothing.
    - `protocol`: "by time" holds out the last days of the log, as the night's lists will be used;
      "last event" holds out the newest item before them of each of other users, which asks how well
      a list fits its user; "both" takes the mean of each over the best candidate's.
    - `days`: spans to hold out, shortest first; the first by which `least_judged` users can be
      judged is taken, and none longer than a quarter of the log.
    - `least_judged`: users; where a protocol gives fewer, a fifth of them is enough; with fewer
      than that who have a history it has no say.
    - `n_users`: users whose histories the candidates learn from, at most.
    - `n_judged`: users who judge them, at most, by each protocol.
    - `half_lives_days`, `profile_half_lives_days`, `popular_half_lives_days`: candidates for what
      models learn from, for users' profiles and for recent popularity. Of the first two, those
      longer than the first that exceeds the log's span are left out, being hardly different.
    """

    hold: bool = False
    protocol: Literal["both", "by time", "last event"] = "both"
    days: tuple[PositiveInt, ...] = (7, 14, 30)
    least_judged: PositiveInt = 500
    n_users: PositiveInt = 30_000
    n_judged: PositiveInt = 2_000
    half_lives_days: tuple[PositiveFloat, ...] = (60.0, 365.0, 3650.0)
    profile_half_lives_days: tuple[PositiveFloat, ...] = (7.0, 60.0, 365.0, 3650.0)
    popular_half_lives_days: tuple[PositiveFloat, ...] = (3.0, 7.0, 30.0)

    @property
    def enough(self) -> int:
        """Fewest users by whom a protocol has a say."""
        return -(-self.least_judged // 5)

    def within(self, span_days: float) -> "ChooseSettings":
        """Return the settings for a log of so many days, without half-lives that it cannot tell.

        >>> ChooseSettings(half_lives_days=(60, 365, 3650)).within(90).half_lives_days
        (60, 365)
        """

        def fitting(days: tuple[float, ...]) -> tuple[float, ...]:
            exceeding = min((each for each in days if each > span_days), default=max(days))
            return tuple(each for each in days if each <= exceeding)

        return replace(
            self,
            half_lives_days=fitting(self.half_lives_days),
            profile_half_lives_days=fitting(self.profile_half_lives_days),
        )
