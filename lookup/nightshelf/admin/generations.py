"""Generations for publishers and readers: reserve a number, stage, flip, and list.

Every change goes through one compare-and-set script, so a publisher that was paused during
another's flip is refused (docs/decisions/0004-fence.md). Changes by operators are in
`nightshelf.admin.lifecycle`.
"""

from dataclasses import replace
from typing import Any

from redis import Redis

from nightshelf.admin.experiments import following
from nightshelf.admin.namespace_state import NamespaceState, change
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, instant
from nightshelf.errors import TransitionRefused

#: The next number: above all that Redis remembers and all that the run folders hold, so that a
#: Redis that came back empty does not give a number out twice.
_ALLOT = """
local allotted = tonumber(redis.call('HGET', KEYS[1], 'allotted') or '0')
local next = math.max(allotted, tonumber(ARGV[1])) + 1
redis.call('HSET', KEYS[1], 'allotted', next)
return next
"""
#: ARGV: generation, expected manifest, new one. No allow-oom: its keys would not fit either.
_STAGE = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 'moved' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'ok'
"""
_ATTEMPTS = 5


def allot(client: Redis, namespace: str, *, above: int = 0) -> int:
    """Reserve the next generation number, greater than `above` and than any given before."""
    return int(client.eval(_ALLOT, 1, Keys(namespace).fence, above))


def stage(client: Redis, namespace: str, manifest: Manifest) -> None:
    """Record a generation whose keys are being written, or anew; readers do not see it.

    Raises `TransitionRefused` (`not-staged`, or `bad`) where it is no longer staged: a publisher
    must not bring back a generation that an operator has marked bad.
    """
    key, field = Keys(namespace).generations, str(manifest.generation)
    for _ in range(_ATTEMPTS):
        raw: bytes = client.hget(key, field) or b""  # type: ignore[assignment]
        if raw:
            refuse_unless_staged(Manifest.from_json(raw))
        if client.eval(_STAGE, 1, key, field, raw, manifest.to_json()) == b"ok":
            return
    raise TransitionRefused("contended", f"{namespace}: others changed generation {field}")


def current(client: Redis, namespace: str) -> Manifest | None:
    """Return the live generation, or `None` where nothing has ever been published."""
    value = client.get(Keys(namespace).current)
    return Manifest.from_json(value) if value else None


def listing(client: Redis, namespace: str) -> list[Manifest]:
    """Return the manifests of all generations in Redis, newest first."""
    values = client.hvals(Keys(namespace).generations)
    manifests = [Manifest.from_json(value) for value in values]
    return sorted(manifests, key=lambda manifest: -manifest.generation)


def pinned(client: Redis, namespace: str) -> int | None:
    """Return the generation that is held against every flip, or `None`."""
    value = client.hget(Keys(namespace).fence, "pinned")
    return int(value) if value else None


def flip(client: Redis, namespace: str, generation: int) -> Manifest:
    """Make a staged generation live, in one step for every reader; one already live stays so.

    The generation that was live becomes `previous`; older ones become `replaced` and leave
    by their TTL. Raises `TransitionRefused` (`unknown`, `not-staged`, `bad`, `incomplete`,
    `fenced`, `superseded`, `pinned`, `contended`).
    """
    after = change(client, namespace, lambda state: flipped(state, generation, force=False))
    return after.find(generation)


def flipped(state: NamespaceState, generation: int, *, force: bool) -> NamespaceState:
    """Return the state after a flip; `force` passes fence and age, and takes the pin along."""
    if state.is_live(generation):  # an answer was lost on the way
        return state
    target = complete(state.find(generation))
    if generation <= state.flipped and not force:
        raise TransitionRefused(
            "fenced", f"generation {generation}: a newer one has been live already"
        )
    if not force:
        refuse_unless_next(state, target)
    fields: dict[str, Any] = {"published_at": state.now.isoformat(timespec="seconds")}
    if state.live is not None and generation > state.flipped:  # else a later night's go on
        fields["experiments"] = following(state.live.experiments, target.experiments)
    after = state.moved(generation, "previous", **fields)
    return replace(after, flipped=max(state.flipped, generation))


def refuse_unless_next(state: NamespaceState, target: Manifest) -> None:
    """Raise `TransitionRefused`: `superseded` (what is live has seen more), `pinned`."""
    if state.live is not None and _older(target, state.live):
        raise TransitionRefused(
            "superseded",
            f"generation {target.generation} is as of {target.as_of}, and generation "
            f"{state.live.generation}, as of {state.live.as_of}, is live",
        )
    if state.pinned is not None:
        stays = f"{target.generation} stays {target.state}"
        raise TransitionRefused(
            "pinned",
            f"{state.namespace} is pinned to generation {state.pinned}; {stays}: "
            f"unpin, then promote {target.generation}",
        )


def _older(one: Manifest, other: Manifest) -> bool:
    """Tell whether one has seen less of the log than the other, as far as both say."""
    ours, theirs = instant(one.as_of), instant(other.as_of)
    return ours is not None and theirs is not None and ours < theirs


def complete(manifest: Manifest) -> Manifest:
    """Return a staged generation whose keys are all written; `TransitionRefused` for any other."""
    refuse_unless_staged(manifest)
    if manifest.half:
        raise TransitionRefused("incomplete", f"generation {manifest.generation} is half staged")
    return manifest


def refuse_unless_staged(manifest: Manifest) -> None:
    """Raise `TransitionRefused` (`bad`, `not-staged`) for a generation that is not staged."""
    if manifest.state == "bad":
        raise TransitionRefused(
            "bad", f"generation {manifest.generation} is marked bad: it never goes live"
        )
    if manifest.state != "staged":
        raise TransitionRefused(
            "not-staged", f"generation {manifest.generation} is {manifest.state}, not staged"
        )
