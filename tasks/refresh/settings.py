"""Settings of the refresh."""

from dataclasses import dataclass

from pydantic import PositiveFloat, PositiveInt


@dataclass(frozen=True)
class RefreshSettings:
    """Size of a run, and lifetime of the rows it writes.

    - `user_ttl_s`, `item_ttl_s`: how long readers prefer a refreshed row to the night's.
    - `max_users`: users a run serves, longest in the refresh queue first.
    - `max_block_users`: users whose history and lists are in memory at a time.
    - `patience_s`: time after which a user whose action never reaches the log leaves the queue.
    """

    user_ttl_s: PositiveInt = 3600
    item_ttl_s: PositiveInt = 6 * 3600
    max_users: PositiveInt = 50_000
    max_block_users: PositiveInt = 5_000
    patience_s: PositiveFloat = 24 * 3600.0
