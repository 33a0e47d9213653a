"""Sample ratio mismatch (SRM): users of the variants against their shares of the traffic."""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import chisquare

#: Users of a part below which its shares are not tested.
MIN_USERS = 100
#: p below which a mismatch is an alarm.
ALARM_P = 0.001


@dataclass(frozen=True)
class SampleRatio:
    """Users by variant in one part of the traffic, and p of the chi-square test of their shares.

    `p` is `None` where the part has too few users to be tested; with several parts it is
    multiplied by their number (Bonferroni).
    """

    part: str
    users: Mapping[str, int]
    p: float | None

    @property
    def failed(self) -> bool:
        """Say that the users of the variants are not in the proportion of their shares."""
        return self.p is not None and self.p < ALARM_P


def sample_ratios(
    parts: Mapping[str, Mapping[str, int]], shares: Mapping[str, Mapping[str, float]]
) -> list[SampleRatio]:
    """Test each part's users by variant against its shares, which need not add up to 1."""
    tested = {name for name, users in parts.items() if sum(users.values()) >= MIN_USERS}
    return [
        SampleRatio(
            name, dict(users), _p(users, shares[name], len(tested)) if name in tested else None
        )
        for name, users in parts.items()
    ]


def _p(users: Mapping[str, int], shares: Mapping[str, float], n_parts: int) -> float:
    """Return p of one part; users of a variant without a share are a mismatch for certain."""
    sharing = [name for name, share in shares.items() if share > 0]
    n = sum(users.values())
    if sum(users.get(name, 0) for name in sharing) < n:
        return 0.0
    if len(sharing) < 2:
        return 1.0
    of_all = sum(shares[name] for name in sharing)
    found = chisquare(
        [users.get(name, 0) for name in sharing], [n * shares[name] / of_all for name in sharing]
    )
    return min(1.0, float(found.pvalue) * n_parts)
