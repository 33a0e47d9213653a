"""Settings of publishing."""

from dataclasses import dataclass

from pydantic import PositiveFloat, PositiveInt

from nightshelf.contract.keys import DEFAULT_TTL_S


@dataclass(frozen=True)
class PublishSettings:
    """Lifetime of a generation, and amounts in flight to Redis.

    - `ttl_s`: lifetime of a generation's keys, before jitter.
    - `max_batch_keys`, `max_batch_bytes`: bounds of a batch.
    - `n_connections`: connections that write, each with up to two batches in flight; one to each
      master of a Redis Cluster.
    - `timeout_s`: wait for a reply.
    - `failover_s`: time for which a Redis Cluster is asked again while a replica takes a master's
      place or slots move.
    """

    ttl_s: PositiveInt = DEFAULT_TTL_S
    max_batch_keys: PositiveInt = 1_000
    max_batch_bytes: PositiveInt = 4 * 2**20
    n_connections: PositiveInt = 2
    timeout_s: PositiveFloat = 30.0
    failover_s: PositiveFloat = 60.0
