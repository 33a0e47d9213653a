"""The state of one namespace, and the one script that changes it (docs/decisions/0004-fence.md).

Every change is a rule: a function from the present state to the wanted one, which raises
`TransitionRefused` for a change that must not be made. `change` writes the difference, all or
nothing, if nothing has changed since it read the state; else it reads again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Canary, Manifest
from nightshelf.errors import TransitionRefused

#: ARGV: expected pointer, new pointer, whether readers are sent elsewhere, then which key, field,
#: expected, new for each field that is read or changed (empty: absent).
#: allow-oom: a full Redis must still be able to roll back.
_COMPARE_AND_SET = """#!lua flags=allow-oom
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 'moved' end
for i = 4, #ARGV, 4 do
  local found = redis.call('HGET', KEYS[tonumber(ARGV[i])], ARGV[i + 1])
  if (found or '') ~= ARGV[i + 2] then return 'moved' end
end
for i = 4, #ARGV, 4 do
  local key = KEYS[tonumber(ARGV[i])]
  if ARGV[i + 3] == '' then redis.call('HDEL', key, ARGV[i + 1])
  else redis.call('HSET', key, ARGV[i + 1], ARGV[i + 3]) end
end
if ARGV[2] ~= ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end
if ARGV[3] == 'another' then redis.call('HSET', KEYS[3], 'moved_at', redis.call('TIME')[1]) end
return 'ok'
"""
_GENERATIONS, _FENCE = "2", "3"  # positions among the script's keys
_ATTEMPTS = 5


@dataclass(frozen=True)
class NamespaceState:
    """Namespace at one moment: `manifests` newest first, `live` as the pointer has it.

    `flipped` is the highest number that a publisher made live, `pinned` the generation that is
    held. `moved_s_ago` is how long ago readers, or a canary's share of them, were sent to another
    generation, in whole seconds, and `now` the time, both by the server's clock; equal worlds may
    differ in them.
    """

    namespace: str
    live: Manifest | None
    manifests: tuple[Manifest, ...]
    flipped: int
    pinned: int | None
    moved_s_ago: int = field(compare=False)
    now: datetime = field(compare=False)

    def find(self, generation: int) -> Manifest:
        """Return a generation; `TransitionRefused` (`unknown`) where Redis knows none such."""
        for manifest in self.manifests:
            if manifest.generation == generation:
                return manifest
        known = ", ".join(str(manifest.generation) for manifest in self.manifests) or "none"
        raise TransitionRefused("unknown", f"no generation {generation}; known: {known}")

    def is_live(self, generation: int) -> bool:
        """Tell whether the pointer names this generation."""
        return self.live is not None and self.live.generation == generation

    @property
    def canary(self) -> Canary | None:
        """The generation that a share of the users is served in the live one's place."""
        return self.live.canary if self.live else None

    def altered(self, generation: int, **fields: Any) -> "NamespaceState":
        """Return the state with fields of one manifest set, and of its copy in the pointer."""
        new = replace(self.find(generation), **fields)
        manifests = tuple(
            new if manifest.generation == generation else manifest for manifest in self.manifests
        )
        return replace(
            self, manifests=manifests, live=new if self.is_live(generation) else self.live
        )

    def moved(self, generation: int, left: str, **fields: Any) -> "NamespaceState":
        """Return the state with another generation live; a pin moves along, a canary ends.

        What was live becomes `left`; what was previous becomes replaced. The experiments of what
        was live go on, unless `fields` has others.
        """
        if self.live is not None:
            fields = {"experiments": self.live.experiments} | fields
        new = replace(self.find(generation), state="live", **fields)
        after = {"live": left, "previous": "replaced"}
        manifests = tuple(
            new
            if manifest.generation == generation
            else replace(manifest, state=after.get(manifest.state, manifest.state), canary=None)
            for manifest in self.manifests
        )
        pinned = generation if self.pinned is not None else None
        return replace(self, live=new, manifests=manifests, pinned=pinned)


Rule = Callable[[NamespaceState], NamespaceState]


def server_time(client: Redis) -> datetime:
    """Return the time by the server's clock, which all ages in a namespace are measured by.

    Publishers and operators run on many hosts, whose clocks may be hours apart.
    """
    seconds, microseconds = client.time()
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)


def read_state(client: Redis, namespace: str) -> NamespaceState:
    """Read the present state."""
    return _read(client, namespace)[0]


def change(client: Redis, namespace: str, rule: Rule) -> NamespaceState:
    """Apply `rule` in one step for all readers; return the new state.

    Raises what the rule raises, and `TransitionRefused` (`contended`) where others never rest.
    """
    keys = Keys(namespace)
    for _ in range(_ATTEMPTS):
        before, raw = _read(client, namespace)
        after = rule(before)
        if after == before:
            return before
        script = (_COMPARE_AND_SET, 3, keys.current, keys.generations, keys.fence)
        if client.eval(*script, *_difference(before, after, raw)) == b"ok":
            return after
    raise TransitionRefused("contended", f"{namespace}: others changed it {_ATTEMPTS} times over")


@dataclass(frozen=True)
class _Raw:
    """The bytes that a state was read from, to compare with."""

    pointer: bytes
    generations: dict[bytes, bytes]
    fence: dict[bytes, bytes]


def _read(client: Redis, namespace: str) -> tuple[NamespaceState, _Raw]:
    keys = Keys(namespace)
    # Not as one transaction: a full Redis refuses even reads in one. What matters is compared.
    with client.pipeline(transaction=False) as pipe:
        pipe.get(keys.current)
        pipe.hgetall(keys.generations)
        pipe.hgetall(keys.fence)
        pipe.time()
        pointer, generations, fence, (now_s, now_us) = pipe.execute()
    manifests = sorted(map(Manifest.from_json, generations.values()), key=lambda m: -m.generation)
    state = NamespaceState(
        namespace,
        Manifest.from_json(pointer) if pointer else None,
        tuple(manifests),
        flipped=int(fence.get(b"flipped", 0)),
        pinned=int(fence[b"pinned"]) if b"pinned" in fence else None,
        moved_s_ago=now_s - int(fence.get(b"moved_at", 0)),
        now=datetime.fromtimestamp(now_s, UTC).replace(microsecond=now_us),
    )
    return state, _Raw(pointer or b"", generations, fence)


def _difference(before: NamespaceState, after: NamespaceState, raw: _Raw) -> list[bytes | str]:
    """Return the script's ARGV: the fence, and the manifests that change or that a canary is of."""
    pointer = raw.pointer
    if after.live is not None and after.live != before.live:
        pointer = after.live.to_json()
    another = after.live is not None and (
        not before.is_live(after.live.generation) or after.canary != before.canary
    )
    arguments: list[bytes | str] = [raw.pointer, pointer, "another" if another else "same"]
    moved_at = raw.fence.get(b"moved_at", b"")  # there and back again is a move as well
    fence: dict[bytes, bytes | str] = {
        b"flipped": str(after.flipped or ""),
        b"pinned": str(after.pinned or ""),
        b"moved_at": moved_at,
    }
    for name, value in fence.items():
        arguments += [_FENCE, name.decode(), raw.fence.get(name, b""), value]
    out = after.canary.generation if after.canary else None  # must still be what the rule saw
    for old, new in zip(before.manifests, after.manifests, strict=True):
        if new != old or new.generation == out:
            field_ = str(new.generation)
            arguments += [_GENERATIONS, field_, raw.generations[field_.encode()], new.to_json()]
    return arguments
