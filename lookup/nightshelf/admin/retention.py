"""Retention: extend the TTLs of a generation, retire one, and forget old ones.

Keys are found with SCAN and handled a thousand at a time: KEYS over a night's keys stops the
server, and every reader with it, for a fifth of a second.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from redis import Redis

from nightshelf.admin.batches import BATCH_KEYS, batched
from nightshelf.admin.namespace_state import NamespaceState, Rule, change, read_state, server_time
from nightshelf.contract.keys import (
    FALLBACK_TTL_FACTOR,
    POINTER_CACHE_S,
    KeyFamily,
    Keys,
    family_in,
    key_ttl_s,
)
from nightshelf.contract.values import Manifest, instant
from nightshelf.errors import TransitionRefused

#: No night stages for so long: the publisher of an older one has died.
STAGING_S = 6 * 3600
#: Generations, and days, that the hash keeps in full.
KEPT = 100


def whole_until(manifest: Manifest) -> datetime | None:
    """Return when the first key can expire; `None` if that is unknown or keys were deleted."""
    return manifest.whole_until


def extend(
    client: Redis, namespace: str, generation: int | None = None, *, ttl_s: int | None = None
) -> int:
    """Give every key of a generation (the live one) its full TTL again; return the keys left.

    `ttl_s` is the base of the TTLs, in seconds, the generation's own unless told. No key's life is
    made shorter. The manifest takes note, so that the generation counts as whole for longer, unless
    some key may have expired before its turn came. Raises `TransitionRefused` (`unknown`,
    `expired`, `nothing-live`).
    """
    manifest = to_extend(read_state(client, namespace), generation)
    base_ttl_s = manifest.ttl_s if ttl_s is None else ttl_s
    if base_ttl_s < 1:
        raise ValueError(f"ttl_s must be at least 1 second, not {base_ttl_s}")
    began = server_time(client)
    n_keys = 0
    for keys in _batches(client, Keys(namespace).generation(manifest.generation)):
        with client.pipeline(transaction=False) as pipe:
            for key, family in keys:
                pipe.expire(key, key_ttl_s(family, key, base_ttl_s), gt=True)
            pipe.exists(*(key for key, _ in keys))  # some may have gone meanwhile
            n_keys += int(pipe.execute()[-1])
    refreshed = Keys(namespace).refreshed(manifest.generation)
    client.expire(refreshed, FALLBACK_TTL_FACTOR * base_ttl_s, gt=True)
    lapse = whole_until(manifest)
    if n_keys and lapse is not None and server_time(client) < lapse:
        extended_at = began.isoformat(timespec="seconds")
        change(client, namespace, _extended(manifest.generation, extended_at, base_ttl_s))
    return n_keys


def to_extend(state: NamespaceState, generation: int | None) -> Manifest:
    """Return the generation to extend; raises `TransitionRefused` as `extend` does."""
    if generation is None:
        if state.live is None:
            raise TransitionRefused("nothing-live", f"{state.namespace} has nothing live to extend")
        return state.live
    manifest = state.find(generation)
    if manifest.retired_at:
        raise TransitionRefused("expired", f"generation {generation} has been cleared away")
    return manifest


def retire(client: Redis, namespace: str, generation: int, *, force: bool = False) -> int:
    """Delete a generation's keys, a thousand at a time; return their number.

    From the first moment it can no longer be gone back to or made live. `force` clears away the
    previous generation too, and one that may still be staging or waits to be promoted. Raises
    `TransitionRefused` (`unknown`, `live`, `previous`, `staged`, `contended`, and `too-soon`:
    readers may hold the old pointer for a moment).
    """
    change(client, namespace, retiring(generation, force=force))
    n_keys = 0
    for keys in _batches(client, Keys(namespace).generation(generation)):
        n_keys += int(client.unlink(*(key for key, _ in keys)))
    return n_keys


def readers_leave_in_s(state: NamespaceState) -> int:
    """Return for how long yet a reader may hold the pointer of before the last move, in seconds."""
    return max(0, int(2 * POINTER_CACHE_S) + 1 - state.moved_s_ago)


def retiring(generation: int, *, force: bool) -> Rule:
    """Return the rule of `retire`: check the obstacles, and mark the generation."""

    def rule(state: NamespaceState) -> NamespaceState:
        manifest = state.find(generation)
        if state.is_live(generation):
            raise TransitionRefused("live", f"generation {generation} is live")
        if state.canary and state.canary.generation == generation:
            raise TransitionRefused(
                "live", f"generation {generation} is a canary: end that with rollback"
            )
        if readers_leave_in_s(state):
            raise TransitionRefused(
                "too-soon", "another generation went live a moment ago: try again in 3 seconds"
            )
        kept = manifest.state == "previous"
        kept |= manifest.state == "staged" and manifest not in _orphans(state)
        if kept and not force:
            raise TransitionRefused(
                manifest.state,
                f"generation {generation} is {manifest.state} and may be needed; force clears it",
            )
        if manifest.retired_at:
            return state
        becomes = "bad" if manifest.state == "bad" else "retired"
        retired_at = state.now.isoformat(timespec="seconds")
        return state.altered(generation, state=becomes, retired_at=retired_at)

    return rule


def orphans(client: Redis, namespace: str) -> list[Manifest]:
    """Return the generations that dead publishers left staged, newest first.

    Begun `STAGING_S` ago, or below the live one: half staged; or whole and waiting for nobody,
    where no gate has blocked them, no pin holds and no canary is out.
    """
    return _orphans(read_state(client, namespace))


def _orphans(state: NamespaceState) -> list[Manifest]:
    def abandoned(manifest: Manifest) -> bool:
        if not manifest.half and (state.pinned is not None or state.canary is not None):
            return False
        if "block" in manifest.gates.values():
            return False
        if state.live is not None and manifest.generation < state.live.generation:
            return True
        began = instant(manifest.staged_at)
        return began is not None and state.now - began > timedelta(seconds=STAGING_S)

    return [each for each in state.manifests if each.state == "staged" and abandoned(each)]


def prune(client: Redis, namespace: str) -> int:
    """Forget generations beyond the newest `KEPT` whose keys have expired; return their number.

    Generations marked bad are kept, so that none goes live again.
    """
    state = read_state(client, namespace)
    long_ago = state.now - timedelta(days=KEPT)
    old = [
        str(each.generation)
        for each in state.manifests[KEPT:]
        if each.state in ("replaced", "retired") and (whole_until(each) or long_ago) <= long_ago
    ]
    return int(client.hdel(Keys(namespace).generations, *old)) if old else 0


def _extended(generation: int, extended_at: str, ttl_s: int) -> Rule:
    def rule(state: NamespaceState) -> NamespaceState:
        before = state.find(generation)
        after = state.altered(generation, extended_at=extended_at, ttl_s=ttl_s)
        old, new = whole_until(before), whole_until(after.find(generation))
        return after if old is not None and new is not None and new > old else state

    return rule


def _batches(client: Redis, every: KeyFamily) -> Iterator[list[tuple[str, str]]]:
    """Yield a generation's keys with their families, up to `BATCH_KEYS` at a time."""
    found = client.scan_iter(match=every.pattern, count=BATCH_KEYS)
    for batch in batched(bytes(key).decode() for key in found):
        yield [(key, family_in(key)) for key in batch]
