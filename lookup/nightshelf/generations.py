"""Which generation is live: allotting numbers, flipping, rolling back.

Every change goes through one compare-and-set script, so that a publisher that sleeps through
another's flip finds the world changed and is refused (docs/decisions/0004-fence.md).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from redis import Redis

from nightshelf.contract import TTL_JITTER, Keys, Manifest, instant
from nightshelf.errors import TransitionRefused

#: The next number: above all that Redis remembers and all that the run folders hold, so that a
#: Redis that came back empty does not give a number out twice.
_ALLOT = """
local allotted = tonumber(redis.call('HGET', KEYS[1], 'allotted') or '0')
local next = math.max(allotted, tonumber(ARGV[1])) + 1
redis.call('HSET', KEYS[1], 'allotted', next)
return next
"""

#: ARGV: expected pointer, new pointer, generation, 'flip' or 'rollback', then field, expected, new
#: for each manifest that changes. allow-oom: a full Redis must still be able to roll back.
_TRANSITION = """#!lua flags=allow-oom
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 'moved' end
local flipped = tonumber(redis.call('HGET', KEYS[3], 'flipped') or '0')
if ARGV[4] == 'flip' and tonumber(ARGV[3]) <= flipped then return 'fenced' end
for i = 5, #ARGV, 3 do
  if (redis.call('HGET', KEYS[2], ARGV[i]) or '') ~= ARGV[i + 1] then return 'moved' end
end
for i = 5, #ARGV, 3 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2]) end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[4] == 'flip' then redis.call('HSET', KEYS[3], 'flipped', ARGV[3]) end
return 'ok'
"""
_ATTEMPTS = 5
_NEVER_BACK = ("staged", "bad")


def allot(client: Redis, namespace: str, *, above: int = 0) -> int:
    """Reserve the next generation number, greater than `above` and than any given before."""
    return int(client.eval(_ALLOT, 1, Keys(namespace).fence, above))


def stage(client: Redis, namespace: str, manifest: Manifest) -> None:
    """Record a generation whose keys are being written; readers do not see it."""
    client.hset(Keys(namespace).generations, str(manifest.generation), manifest.to_json())


def current(client: Redis, namespace: str) -> Manifest | None:
    """Return the live generation, or `None` where nothing has ever been published."""
    value = client.get(Keys(namespace).current)
    return Manifest.from_json(value) if value else None


def listing(client: Redis, namespace: str) -> list[Manifest]:
    """Return every generation that Redis remembers, newest first."""
    values = client.hvals(Keys(namespace).generations)
    manifests = [Manifest.from_json(value) for value in values]
    return sorted(manifests, key=lambda manifest: -manifest.generation)


def flip(client: Redis, namespace: str, generation: int) -> Manifest:
    """Make a staged generation live, in one step for every reader; one already live stays so.

    The generation that was live becomes `previous`; older ones become `retired` and leave by
    their TTL. Raises `TransitionRefused` (`unknown`, `not-staged`, `incomplete`, `fenced`,
    `contended`).
    """

    def choose(manifests: list[Manifest], _: Manifest | None) -> Manifest:
        target = _find(manifests, generation)
        if target.state not in ("staged", "live"):  # live: an answer was lost on the way
            raise TransitionRefused(
                "not-staged", f"generation {generation} is {target.state}, not staged"
            )
        if not target.digest:  # recorded when all keys are written
            raise TransitionRefused("incomplete", f"generation {generation} is half staged")
        return target

    return _transition(client, namespace, "flip", choose)


def rollback(client: Redis, namespace: str, *, to: int | None = None) -> Manifest:
    """Make an earlier generation live again: `to`, or the newest whole one below the live one.

    The generation left behind becomes `retired`, so a second call goes further back rather than
    forward again; but one call goes one way, even where its answer is lost or another operator
    rolls back at once. Raises `TransitionRefused` (`unknown`, `not-staged`, `expired`,
    `nothing-older`, `contended`).
    """
    number = rollback_target(client, namespace, to=to).generation

    def choose(manifests: list[Manifest], live: Manifest | None) -> Manifest:
        return _earlier(client, namespace, manifests, live, number)

    return _transition(client, namespace, "rollback", choose)


def rollback_target(client: Redis, namespace: str, *, to: int | None = None) -> Manifest:
    """Return what `rollback` would make live, changing nothing; refuses as `rollback` does."""
    manifests = listing(client, namespace)
    return _earlier(client, namespace, manifests, current(client, namespace), to)


def _earlier(
    client: Redis,
    namespace: str,
    manifests: list[Manifest],
    live: Manifest | None,
    to: int | None,
) -> Manifest:
    """Choose what to roll back to among `manifests`, newest first."""
    if to is not None:
        target = _find(manifests, to)
        if target.state in _NEVER_BACK:
            raise TransitionRefused(
                "not-staged", f"generation {to} is {target.state}: it cannot be gone back to"
            )
        if not _whole(client, namespace, target):
            raise TransitionRefused("expired", f"generation {to} has left Redis by its TTL")
        return target
    for older in manifests:
        below = live is not None and older.generation < live.generation
        if below and older.state not in _NEVER_BACK and _whole(client, namespace, older):
            return older
    raise TransitionRefused("nothing-older", f"{namespace} has no older whole generation")


def _transition(
    client: Redis,
    namespace: str,
    kind: str,
    choose: Callable[[list[Manifest], Manifest | None], Manifest],
) -> Manifest:
    """Read, choose the target, and set pointer and states if nothing moved meanwhile."""
    keys = Keys(namespace)
    for _ in range(_ATTEMPTS):
        pointer: bytes = client.get(keys.current) or b""  # type: ignore[assignment]
        raw: dict[bytes, bytes] = client.hgetall(keys.generations)  # type: ignore[assignment]
        manifests = sorted(map(Manifest.from_json, raw.values()), key=lambda m: -m.generation)
        live = Manifest.from_json(pointer) if pointer else None
        target = choose(manifests, live)
        if live is not None and live.generation == target.generation:
            return live
        published_at = target.published_at
        if kind == "flip":
            published_at = _now().isoformat(timespec="seconds")
        new = replace(target, state="live", published_at=published_at)
        arguments: list[bytes | str] = [pointer, new.to_json(), str(new.generation), kind]
        for manifest in manifests:
            after = new if manifest is target else _stepped_back(manifest, kind)
            if after != manifest:
                field = str(manifest.generation)
                arguments += [field, raw[field.encode()], after.to_json()]
        outcome = client.eval(
            _TRANSITION, 3, keys.current, keys.generations, keys.fence, *arguments
        )
        if outcome == b"ok":
            return new
        if outcome == b"fenced":
            raise TransitionRefused(
                "fenced", f"generation {new.generation}: a newer one has been live already"
            )
    raise TransitionRefused("contended", f"{namespace}: others changed it {_ATTEMPTS} times over")


def _stepped_back(manifest: Manifest, kind: str) -> Manifest:
    """Return what a generation becomes when another goes live."""
    if manifest.state == "live":
        return replace(manifest, state="previous" if kind == "flip" else "retired")
    return replace(manifest, state="retired") if manifest.state == "previous" else manifest


def _find(manifests: list[Manifest], generation: int) -> Manifest:
    for manifest in manifests:
        if manifest.generation == generation:
            return manifest
    known = ", ".join(str(manifest.generation) for manifest in manifests) or "none"
    raise TransitionRefused("unknown", f"no generation {generation}; known: {known}")


def _whole(client: Redis, namespace: str, manifest: Manifest) -> bool:
    """Tell whether all keys of a generation still stand: none can have expired, and one is seen."""
    shortest = timedelta(seconds=manifest.ttl_s * (1 - TTL_JITTER))
    staged_at = instant(manifest.staged_at)
    witness = Keys(namespace).popular(manifest.generation, "all")
    return staged_at is not None and _now() < staged_at + shortest and bool(client.exists(witness))


def _now() -> datetime:
    return datetime.now(UTC)
