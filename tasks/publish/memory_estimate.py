"""Memory that a generation will take in Redis, before the first key is written.

A key costs more than its bytes: the allocator rounds up, and every key has an entry in two hash
tables, its own and that of the times to live. The constants were fitted to Redis 7.0 and Valkey 9.1
(docs/decisions/0010-memory-estimate.md); the estimate is within 10 % of what the server reports.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from redis import Redis
from redis.exceptions import ResponseError

from nightshelf.client.transport.cluster import infos, slot_shares
from tasks.errors import NoRoom
from tasks.publish.keyspace import Entry, Family
from tasks.runs.journal import step
from tasks.runs.run_folder import Run

_SAMPLE = 500
#: Between the estimate and what the server may need while it writes (buffers, rehashing).
_MARGIN = 0.1
#: Redis: 16 bytes of object, two table entries of 24 rounded to 32, two table slots at half load.
_REDIS_ENTRY = 16 + 2 * 32 + 24
#: Valkey 8.1 and newer: key, time to live and object in one piece of memory; two denser tables.
_VALKEY_ENTRY = 16 + 8 + 16
_HEADER = 5


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that the generation will take, by family and in all, and what Redis has for them.

    `n_free` is maxmemory less what is used; `None` where there is no limit, or no right to ask. In
    a cluster it is what all masters can take, as keys spread by slots, until the first is full.
    """

    families: dict[str, int]
    n_bytes: int
    n_free: int | None
    policy: str


@step
def estimate_memory(run: Run, client: Redis, shelves: tuple[Family, ...]) -> MemoryEstimate:
    """Estimate the generation's memory from a sample; `NoRoom` where it does not fit.

    The live generation and the one before stay beside it, so what they use is not free.
    """
    try:
        memories = list(infos(client, "memory").items())
    except ResponseError:  # a publisher's login need not have INFO
        memories = [("", {})]
    server, memory, share = _tightest(client, memories)
    cost = _cost(client, str(memory.get("mem_allocator", "")))
    by_family: Counter[str] = Counter()  # of lists, one a model
    for family in shelves:
        by_family[family.name] += round(_mean(family, cost) * _rows(family))
    n_bytes = sum(by_family.values())
    limit, policy = int(memory.get("maxmemory", 0)), str(memory.get("maxmemory_policy", "unknown"))
    n_free = round((limit - int(memory["used_memory"])) / share) if limit else None
    found = MemoryEstimate(dict(by_family), n_bytes, n_free, policy)
    if n_free is not None and n_bytes * (1 + _MARGIN) > n_free:
        raise NoRoom(_words(run, found, limit, server, share))
    return found


def _tightest(
    client: Redis, memories: Sequence[tuple[str, dict[str, Any]]]
) -> tuple[str, dict[str, Any], float]:
    """Return the server that is full first, its memory, and the share of all keys that it gets."""
    shares = slot_shares(client)
    if shares is None or len(memories) < len(shares):
        return (*memories[0], 1.0)

    def room(of: tuple[str, dict[str, Any]]) -> float:
        limit = int(of[1].get("maxmemory", 0))
        return (limit - int(of[1]["used_memory"])) / shares.get(of[0], 1.0) if limit else math.inf

    server, memory = min(memories, key=room)
    return server, memory, shares.get(server, 1.0)


def _words(run: Run, found: MemoryEstimate, limit: int, server: str, share: float) -> str:
    need = found.n_bytes * (1 + _MARGIN) * share
    free = (found.n_free or 0) * share
    risk = "" if found.policy == "noeviction" else f" (and {found.policy} would evict live lists)"
    where = f"node {server} of the cluster" if server else "Redis"
    what = "needs" if share == 1 else f"needs {share:.0%} of its keys' memory there,"
    return (
        f"generation {run.generation} of {run.namespace} {what} {_mb(need)} and {where} has "
        f"{_mb(max(free, 0))} free of maxmemory {_mb(limit)}{risk}; nothing was "
        f"written. Raise maxmemory by {_mb(need - free)}, retire older generations, or shorten the "
        "lists (NIGHTSHELF_TOPN__N)."
    )


def _mean(family: Family, cost: Callable[[Entry], int]) -> float:
    sample = [family.entry(row) for row in family.sample(_SAMPLE)]
    return sum(map(cost, sample)) / len(sample) if sample else 0.0


def _rows(family: Family) -> int:
    return int(pq.read_metadata(family.path).num_rows)


def _cost(client: Redis, allocator: str) -> Callable[[Entry], int]:
    """Return what one key and its value take on this server."""
    rounded = _jemalloc if allocator.startswith("jemalloc") else _libc
    try:
        valkey = client.info("server").get("server_name") == "valkey"
    except ResponseError:
        valkey = False

    def of_redis(entry: Entry) -> int:
        key, value = len(entry.key) + _HEADER, len(entry.value) + _HEADER
        return rounded(key) + rounded(value) + _REDIS_ENTRY

    def of_valkey(entry: Entry) -> int:
        key, value = len(entry.key) + _HEADER, len(entry.value) + _HEADER
        return rounded(key + _VALKEY_ENTRY) + rounded(value)

    return of_valkey if valkey else of_redis


def _jemalloc(n_bytes: int) -> int:
    """Round up to jemalloc's size classes: four to each doubling, 16 bytes apart at least.

    >>> [_jemalloc(n) for n in (1, 17, 130, 1206, 3006)]
    [16, 32, 160, 1280, 3072]
    """
    apart = max(16, 1 << max(0, (n_bytes - 1).bit_length() - 3))
    return -(-n_bytes // apart) * apart


def _libc(n_bytes: int) -> int:
    """Round up to glibc's chunks: 8 bytes of its own, then 16 bytes apart."""
    return -(-(n_bytes + 8) // 16) * 16


def _mb(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
