"""Settings of publishing."""

from dataclasses import dataclass

from pydantic import PositiveFloat, PositiveInt

from nightshelf.contract.keys import DEFAULT_TTL_S


@dataclass(frozen=True)
class PublishSettings:
    """How long a generation lives, and how much is on its way to Redis at a time.

    Each of `n_connections` has up to two batches on their way, of at most so many keys and bytes.
    """

    ttl_s: PositiveInt = DEFAULT_TTL_S
    max_batch_keys: PositiveInt = 1_000
    max_batch_bytes: PositiveInt = 4 * 2**20
    n_connections: PositiveInt = 2
    timeout_s: PositiveFloat = 30.0
