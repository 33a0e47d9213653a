"""Settings of the refresh."""

from dataclasses import dataclass

from pydantic import PositiveFloat, PositiveInt


@dataclass(frozen=True)
class RefreshSettings:
    """How far a run goes, and how long what it writes lives.

    - `user_ttl_s`, `item_ttl_s`: how long readers prefer a row as of the refresh to the night's.
    - `max_users`: a run serves the longest waiting so many; the others wait for the next.
    - `max_block_users`: users whose history and lists are in memory at a time.
    - `patience_s`: who waits longer for an action that the log never hears of is let go.
    """

    user_ttl_s: PositiveInt = 3600
    item_ttl_s: PositiveInt = 6 * 3600
    max_users: PositiveInt = 50_000
    max_block_users: PositiveInt = 5_000
    patience_s: PositiveFloat = 24 * 3600.0
