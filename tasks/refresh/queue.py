"""Who waits for a fresh list, and handing it over: what Redis does for the refresh.

Everyone who is to be refreshed stands in `waiting`, and leaves it in the step that writes the list:
whoever was forgotten meanwhile (`nightshelf.admin.erasure`) gets none, of two refreshes at once the
later one writes nothing, and a refresh that dies leaves in the queue whom it had not served.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from redis import Redis

from nightshelf.contract.keys import FALLBACK_TTL_FACTOR, Keys, encode_id, key_ttl_s
from tasks.refresh.recompute import Fresh
from tasks.refresh.served_generation import Served

#: KEYS: current, fence, refreshed, waiting, then list, row and fresh row of each user.
#: ARGV: generation, moved_at, channel, TTL of refreshed and of a fresh row, then for each user:
#: raw id, message, the score to be taken out at ('' where it stays), list, its TTL, row, its TTL
#: ('' for no list or no row). Returns how many were served and how many had no list before.
#: No allow-oom: a full Redis keeps the lists that it has.
_HAND_OVER = """
local pointer = redis.call('GET', KEYS[1])
local live = pointer and cjson.decode(pointer) or {}
local canary = type(live.canary) == 'table' and live.canary or {}
local generation = tonumber(ARGV[1])
if live.generation ~= generation and canary.generation ~= generation then return false end
if (redis.call('HGET', KEYS[2], 'moved_at') or '') ~= ARGV[2] then return false end
local served, lists, keys = 0, 0, 0
local at = 5
for user = 6, #ARGV, 7 do
  local id, message, score = ARGV[user], ARGV[user + 1], ARGV[user + 2]
  local found = redis.call('ZSCORE', KEYS[4], id)
  if found then
    if ARGV[user + 3] ~= '' then
      if redis.call('EXISTS', KEYS[at]) == 0 then lists = lists + 1 end
      redis.call('SET', KEYS[at], ARGV[user + 3], 'EX', ARGV[user + 4])
      served = served + 1
    end
    if ARGV[user + 5] ~= '' then
      if redis.call('SET', KEYS[at + 1], ARGV[user + 5], 'EX', ARGV[user + 6], 'NX') then
        keys = keys + 1
      end
      redis.call('SET', KEYS[at + 2], ARGV[user + 5], 'EX', ARGV[5])
    end
    if tonumber(score) == tonumber(found) then redis.call('ZREM', KEYS[4], id) end
    redis.call('PUBLISH', ARGV[3], message)
  end
  at = at + 3
end
redis.call('HINCRBY', KEYS[3], 'added', lists + keys)
redis.call('EXPIRE', KEYS[3], ARGV[4])
return {served, lists}
"""

#: Users a script: few enough to hold no reader up, some hundred kilobytes.
_BATCH_USERS = 100


class Overtaken(Exception):  # noqa: N818 - a condition of one refresh, not an error
    """Readers were sent to another generation: nothing of the batch was written."""


@dataclass(frozen=True)
class HandedOver:
    """How many users got a list, and how many of them had none before."""

    n_lists: int
    n_new: int


def put_down(client: Redis, served: Served, users: Mapping[str, float]) -> None:
    """Let users wait since when they acted (Unix seconds); who waits already is left alone."""
    key = Keys(served.run.namespace).refresh_queue
    for batch in _batches(users):
        with client.pipeline(transaction=False) as pipe:
            pipe.zadd(key, {user: users[user] for user in batch}, nx=True)
            pipe.expire(key, FALLBACK_TTL_FACTOR * served.manifest.ttl_s)
            pipe.execute()


def queue(client: Redis, served: Served, n: int) -> dict[str, float]:
    """Return who waits for a list of this generation, and since when; of all, the `n` longest.

    An entry that can be nobody's id is dropped.
    """
    key = Keys(served.run.namespace).refresh_queue
    users: dict[str, float] = {}
    entries: Any = client.zrange(key, 0, n - 1, withscores=True)
    for raw, since in entries:
        try:
            user = raw.decode()
            encode_id(user)
        except ValueError:  # InvalidKey and UnicodeDecodeError among them
            client.zrem(key, raw)
            continue
        if served.serves(user):
            users[user] = float(since)
    return users


def without_list(client: Redis, served: Served, users: Collection[str]) -> list[str]:
    """Return those of the users who have no list in this generation."""
    keys, generation = Keys(served.run.namespace), served.run.generation
    found = []
    for batch in _batches(users):
        with client.pipeline(transaction=False) as pipe:
            for user in batch:
                pipe.exists(keys.list(generation, served.manifest.default_model, user))
            found += [user for user, there in zip(batch, pipe.execute(), strict=True) if not there]
    return found


def moved(client: Redis, served: Served) -> bool:
    """Tell whether readers were sent here since this generation was last swept up after."""
    return client.hget(_refreshed(served), "swept") != served.moved_at


def swept(client: Redis, served: Served) -> None:
    """Note that whoever acted since the night is in the queue, as of the last move."""
    with client.pipeline(transaction=False) as pipe:
        pipe.hset(_refreshed(served), "swept", served.moved_at)
        pipe.expire(_refreshed(served), FALLBACK_TTL_FACTOR * served.manifest.ttl_s)
        pipe.execute()


def hand_over(
    client: Redis, served: Served, fresh: Fresh, due: Mapping[str, float | None], row_ttl_s: int
) -> HandedOver:
    """Write what was made for the users of `due`, and take them out of the queue.

    `due` gives the score that a user may be taken out at, `None` where the user stays. Raises
    `Overtaken` before the first batch that a flip, a rollback or a canary has overtaken.
    """
    n_lists = n_new = 0
    for batch in _batches(due):
        given = _arguments(served, fresh, {user: due[user] for user in batch}, row_ttl_s)
        answer: Any = client.eval(_HAND_OVER, *given)
        if answer is None:
            raise Overtaken
        n_lists, n_new = n_lists + answer[0], n_new + answer[1]
    return HandedOver(n_lists, n_new)


def put_items(client: Redis, served: Served, rows: Mapping[str, bytes], ttl_s: int) -> None:
    """Write the rows of items as of now: what was counted holds in whichever generation."""
    keys = Keys(served.run.namespace)
    for batch in _batches(rows):
        with client.pipeline(transaction=False) as pipe:
            for item in batch:
                pipe.set(keys.item_update(item), rows[item], ex=ttl_s)
            pipe.execute()


def _arguments(
    served: Served, fresh: Fresh, due: Mapping[str, float | None], row_ttl_s: int
) -> list[Any]:
    """Return the script's KEYS, their number first, and its ARGV."""
    keys, generation = Keys(served.run.namespace), served.run.generation
    base_s, model = served.manifest.ttl_s, served.manifest.default_model
    names = [keys.current, keys.fence, _refreshed(served), keys.refresh_queue]
    ttl_s = FALLBACK_TTL_FACTOR * base_s
    given: list[Any] = [generation, served.moved_at, keys.invalidate, ttl_s, row_ttl_s]
    for user, score in due.items():
        listed, row = keys.list(generation, model, user), keys.user(generation, user)
        names += [listed, row, keys.row_update(user)]
        given += [user, f"user:{encode_id(user)}", "" if score is None else repr(score)]
        given += [fresh.lists.get(user, b""), key_ttl_s("list", listed, base_s)]
        given += [fresh.rows.get(user, b""), key_ttl_s("user", row, base_s)]
    return [len(names), *names, *given]


def _refreshed(served: Served) -> str:
    return Keys(served.run.namespace).refreshed(served.run.generation)


def _batches(users: Collection[str]) -> list[list[str]]:
    left = iter(users)
    return list(iter(lambda: list(islice(left, _BATCH_USERS)), []))
