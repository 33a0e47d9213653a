"""Facts for `nightshelf.doctor`: each is read once, when a check first needs it.

A bounded number of reads, so a big server is read for seconds at most. Errors of Redis come through
to the check.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError

from nightshelf.admin.key_sample import Sample, key_bytes, lives_ms, walk
from nightshelf.admin.namespace_state import NamespaceState, read_state, server_time
from nightshelf.admin.retention import orphans
from nightshelf.admin.wholeness import n_beyond, n_in_database, whole
from nightshelf.client.transport.cluster import infos, on_each, slot_shares
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.doctor.permissions import EXCESSIVE, Login, needed

_PINGS = 5


@dataclass(frozen=True)
class Pointer:
    """The live generation; whether ``generations`` has the same bytes; whether its witness exists.

    The witness is the list that every reader falls back to.
    """

    live: Manifest | None
    agrees: bool
    has_witness: bool


class Facts:
    """One namespace and its server, where a night is expected every `every_s` seconds."""

    def __init__(
        self, client: Redis, namespace: str, every_s: float, max_age_s: float | None = None
    ) -> None:
        self.client = client
        self.namespace = namespace
        self.every_s = every_s
        self.max_age_s = max_age_s

    @cached_property
    def now(self) -> datetime:
        """The time by the server's clock."""
        return server_time(self.client)

    @cached_property
    def round_trips_s(self) -> list[float]:
        """Seconds that a few PINGs took, the first (which connects) left out."""
        self.client.ping()
        return [_timed(self.client.ping) for _ in range(_PINGS)]

    @cached_property
    def infos(self) -> dict[str, dict[str, Any]]:
        """The server's INFO, or that of each master of a cluster, by address."""
        return infos(self.client)

    @cached_property
    def shares(self) -> dict[str, float] | None:
        """The share of all keys that each master of a cluster holds; `None` for one server."""
        return slot_shares(self.client)

    @cached_property
    def stream(self) -> dict[str, Any] | None:
        """The stream of tracked events with its groups; `None` where there is none."""
        key = Keys(self.namespace).events
        if not self.client.exists(key):
            return None
        ask: Any = self.client.execute_command
        return dict(ask("XINFO STREAM", key, "FULL", "COUNT", 1, full=True))

    @cached_property
    def login(self) -> Login:
        """The login, and the commands that it may run, if it may ask."""
        name = str(self.client.acl_whoami())
        keys = Keys(self.namespace)
        commands = [each for role in needed(keys).values() for each in role] + list(EXCESSIVE)
        with self.client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.acl_dryrun(name, *command.split())
            try:
                answers = pipe.execute()
            except NoPermissionError:
                return Login(name, None)
        return Login(name, {c: a == b"OK" for c, a in zip(commands, answers, strict=True)})

    @cached_property
    def clock_offset_s(self) -> float:
        """Seconds that the server's clock is ahead of ours: of a cluster, the furthest one's."""
        began = time.time()
        times = on_each(self.client, "TIME").values()
        middle = (began + time.time()) / 2
        ahead_s: list[float] = [s + us / 1e6 - middle for s, us in times]
        return max(ahead_s, key=abs)

    @cached_property
    def state(self) -> NamespaceState:
        """Every generation, the pointer and the fence."""
        return read_state(self.client, self.namespace)

    @cached_property
    def orphans(self) -> list[Manifest]:
        """Generations whose publisher died half-way."""
        return orphans(self.client, self.namespace)

    @cached_property
    def way_back(self) -> Manifest | None:
        """The newest whole generation below the live one: where a rollback goes."""
        live = self.state.live
        older = [
            each for each in self.state.manifests if live and each.generation < live.generation
        ]
        been_live = [each for each in older if each.state not in ("staged", "bad")]
        return next((m for m in been_live if whole(self.client, self.namespace, m)), None)

    @cached_property
    def pointer(self) -> Pointer:
        """The pointer and its manifest, with no flip in between."""
        keys = Keys(self.namespace)
        while True:
            with self.client.pipeline(transaction=False) as pipe:
                pipe.get(keys.current)
                pipe.hgetall(keys.generations)
                pipe.get(keys.current)
                current, fields, after = pipe.execute()
            if current == after:
                break
        if not current:
            return Pointer(None, agrees=False, has_witness=False)
        live = Manifest.from_json(current)
        witness = self.client.exists(keys.popular(live.generation, "all"))
        agrees = fields.get(str(live.generation).encode()) == current
        return Pointer(live, agrees, bool(witness))

    @cached_property
    def sample(self) -> Sample:
        """A sample of the live generation's keys."""
        live = self.state.live
        if live is None:
            return Sample({}, 1.0)
        every = Keys(self.namespace).generation(live.generation)
        return walk(self.client, every, n_in_database(self.client))

    @cached_property
    def n_beyond(self) -> int:
        """Number of keys that the refresh added to the live generation, less those erased since."""
        live = self.state.live
        return n_beyond(self.client, self.namespace, live.generation) if live else 0

    @cached_property
    def lives_ms(self) -> list[int]:
        """Remaining TTLs of the sampled keys; -1: without TTL, -2: expired."""
        return lives_ms(self.client, self.sample)

    @cached_property
    def key_bytes(self) -> dict[str, float]:
        """Mean memory of a key, by family; nothing where this login may not ask."""
        try:
            return key_bytes(self.client, self.sample)
        except NoPermissionError:
            return {}


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
