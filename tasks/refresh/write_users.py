"""Write recomputed lists to Redis, one user at a time, and take served users off the queue.

Each script touches keys of one hash tag. The users of a batch share these round trips:

1. Set each user's token of this refresh.
2. Read pointer and queue; raise `Overtaken` if readers were sent to another generation.
3. Write each queued user whose token still stands. An erasure takes the user off the queue and
   deletes the token before it looks for keys, so an erased user gets no list; a later refresh
   replaces the token, so the later list stays.
4. If the pointer has not moved, take the written users off the queue and notify readers.

A refresh that dies leaves the users of its last batch queued; writing them again has the same
effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from redis import Redis

from nightshelf.admin.batches import batched
from nightshelf.contract.keys import FALLBACK_TTL_FACTOR, Keys, encode_id, key_ttl_s
from nightshelf.contract.values import Manifest
from tasks.refresh.queue import BATCH_USERS
from tasks.refresh.recompute import Recomputed
from tasks.refresh.served_generation import ServedGeneration

#: KEYS of one user: token, row, row update, and the list of each model, the default's first. ARGV:
#: token, row, its TTL, TTL of the row update, then each list and its TTL ('' for no list or no
#: row). Returns whether there is a list of the default, whether it is new, and how many keys are;
#: nothing where the token is gone.
#: No allow-oom: a full Redis keeps the lists that it has.
_WRITE_USER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local own, new_own, new_keys = 0, 0, 0
for at = 4, #KEYS do
  local list = ARGV[2 * at - 3]
  if list ~= '' then
    local new = 1 - redis.call('EXISTS', KEYS[at])
    redis.call('SET', KEYS[at], list, 'EX', ARGV[2 * at - 2])
    if at == 4 then own, new_own = 1, new end
    new_keys = new_keys + new
  end
end
if ARGV[2] ~= '' then
  if redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3], 'NX') then new_keys = new_keys + 1 end
  redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[4])
end
return {own, new_own, new_keys}
"""
#: KEYS of the namespace: current, fence, refreshed, refresh queue. ARGV: generation, moved_at,
#: channel, TTL of refreshed, number of new keys, then for each user: raw id, message, the score to
#: be taken off at ('' where the user stays). Returns 0 if readers were sent elsewhere.
_LEAVE_QUEUE = """
redis.call('HINCRBY', KEYS[3], 'added', ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[4])
local pointer = redis.call('GET', KEYS[1])
local live = pointer and cjson.decode(pointer) or {}
local canary = type(live.canary) == 'table' and live.canary or {}
local generation = tonumber(ARGV[1])
if live.generation ~= generation and canary.generation ~= generation then return 0 end
if (redis.call('HGET', KEYS[2], 'moved_at') or '') ~= ARGV[2] then return 0 end
for user = 6, #ARGV, 3 do
  local found = redis.call('ZSCORE', KEYS[4], ARGV[user])
  if found and tonumber(ARGV[user + 2]) == tonumber(found) then
    redis.call('ZREM', KEYS[4], ARGV[user])
  end
  redis.call('PUBLISH', ARGV[3], ARGV[user + 1])
end
return 1
"""
#: KEYS: the token of one user. ARGV: token. The token of a later refresh stays.
_RELEASE_USER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
"""
#: A batch takes a fraction of a second.
_TOKEN_TTL_S = 60


class Overtaken(Exception):  # noqa: N818 - a condition of one refresh, not an error
    """Readers were sent to another generation: the users of the batch stay queued."""


@dataclass(frozen=True)
class Written:
    """Number of users who got a list, and of those who had none before."""

    n_lists: int
    n_new: int


def write_users(
    client: Redis,
    served: ServedGeneration,
    made: Recomputed,
    due: Mapping[str, float | None],
    row_ttl_s: int,
) -> Written:
    """Write the lists and rows of the users of `due`, and take them off the queue.

    `due` gives the score that a user may be taken off at, `None` where the user stays. Raises
    `Overtaken` if a flip, a rollback or a canary has sent readers elsewhere.
    """
    n_lists = n_new = 0
    for batch in batched(due, BATCH_USERS):
        writing = _Batch(client, served, uuid4().hex)
        writing.set_tokens(batch)
        queued = writing.still_queued(batch)
        counts = writing.write(queued, made, row_ttl_s)
        writing.leave_queue({user: due[user] for user in counts}, _total(counts, 2))
        writing.delete_tokens([user for user in batch if user in counts or user not in queued])
        n_lists, n_new = n_lists + _total(counts, 0), n_new + _total(counts, 1)
    return Written(n_lists, n_new)


def write_items(
    client: Redis, served: ServedGeneration, rows: Mapping[str, bytes], ttl_s: int
) -> None:
    """Write the rows of items as of now; their counts hold in every generation."""
    keys = Keys(served.run.namespace)
    for batch in batched(rows, BATCH_USERS):
        with client.pipeline(transaction=False) as pipe:
            for item in batch:
                pipe.set(keys.item_update(item), rows[item], ex=ttl_s)
            pipe.execute()


class _Batch:
    """The round trips of one batch, under one token."""

    def __init__(self, client: Redis, served: ServedGeneration, token: str) -> None:
        self._client, self._served, self._token = client, served, token
        self._keys = Keys(served.run.namespace)

    def set_tokens(self, users: Sequence[str]) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            for user in users:
                pipe.set(self._keys.refreshing(user), self._token, ex=_TOKEN_TTL_S)
            pipe.execute()

    def delete_tokens(self, users: Sequence[str]) -> None:
        """Delete the tokens of users who were written or are not queued; others expire."""
        with self._client.pipeline(transaction=False) as pipe:
            for user in users:
                pipe.eval(_RELEASE_USER, 1, self._keys.refreshing(user), self._token)
            pipe.execute()

    def still_queued(self, users: Sequence[str]) -> list[str]:
        """Return the users who are in the queue; `Overtaken` if the pointer has moved."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.get(self._keys.current)
            pipe.hget(self._keys.fence, "moved_at")
            pipe.zmscore(self._keys.refresh_queue, list(users))
            pointer, moved_at, scores = pipe.execute()
        live = Manifest.from_json(pointer) if pointer else None
        if (moved_at or b"") != self._served.moved_at or not self._served.is_served_by(live):
            raise Overtaken
        return [user for user, score in zip(users, scores, strict=True) if score is not None]

    def write(
        self, users: Sequence[str], made: Recomputed, row_ttl_s: int
    ) -> dict[str, Sequence[int]]:
        """Run `_WRITE_USER` for each user; return its counts for those whose token stood."""
        generation, base_s = self._served.run.generation, self._served.manifest.ttl_s
        keys = self._keys
        with self._client.pipeline(transaction=False) as pipe:
            for user in users:
                row = keys.user(generation, user)
                names = [keys.refreshing(user), row, keys.row_update(user)]
                given: list[Any] = [self._token]
                given += [made.rows.get(user, b""), key_ttl_s("user", row, base_s), row_ttl_s]
                for model, lists in made.lists.items():
                    listed = keys.list(generation, model, user)
                    names.append(listed)
                    given += [lists.get(user, b""), key_ttl_s("list", listed, base_s)]
                pipe.eval(_WRITE_USER, len(names), *names, *given)
            counts = pipe.execute()
        return {user: each for user, each in zip(users, counts, strict=True) if each is not None}

    def leave_queue(self, due: Mapping[str, float | None], n_keys: int) -> None:
        """Run `_LEAVE_QUEUE`; `Overtaken` if the pointer has moved."""
        keys, served = self._keys, self._served
        names = (keys.current, keys.fence, served.refreshed_key, keys.refresh_queue)
        ttl_s = FALLBACK_TTL_FACTOR * served.manifest.ttl_s
        given: list[Any] = [served.run.generation, served.moved_at, keys.invalidate, ttl_s, n_keys]
        for user, score in due.items():
            given += [user, f"user:{encode_id(user)}", "" if score is None else repr(score)]
        if not self._client.eval(_LEAVE_QUEUE, len(names), *names, *given):
            raise Overtaken


def _total(counts: Mapping[str, Sequence[int]], which: int) -> int:
    return sum(each[which] for each in counts.values())
