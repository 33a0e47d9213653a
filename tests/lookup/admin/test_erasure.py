"""Erasure: all of one user, in every generation, and nothing of anyone else."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from nightshelf import Shelf
from nightshelf.admin.batches import BATCH_KEYS
from nightshelf.admin.erasure import Traces, forget, traces
from nightshelf.contract.keys import Keys, encode_id
from nightshelf.errors import InvalidKey
from tests.lookup.shelves import SHOP, publish, ranked

KEYS = Keys(SHOP)
UNKNOWN = 9  # a generation that no hash remembers
HOSTILE = ["u1", "als", "user", "*", "u*", "a:b", "user:u1", "é", "[a-z]", "a\\*", "%2A", " ", "-."]


def theirs(keys: Keys, user: str) -> set[str]:
    """Name a user's keys: two models and a row in three generations, and the masked items."""
    return {
        keys.masked(user),
        *(keys.user(number, user) for number in (1, 2, UNKNOWN)),
        *(keys.list(number, model, user) for number in (1, 2, UNKNOWN) for model in ("als", "m:2")),
    }


def others(user: str) -> set[str]:
    """Name keys that are not theirs, though they look so to a careless pattern."""
    near = {f"{user}x", f"x{user}", f"{user}:{user}", f"{user}*", encode_id(user) + "%"}
    return {
        *(key for other in near for key in theirs(KEYS, other)),
        *(key for space in ("shop.b", "sho", "1") for key in theirs(Keys(space), user)),
        *(KEYS.item(number, user) for number in (1, UNKNOWN)),
        KEYS.similar(1, user),
        KEYS.popular(1, f"segment:{user}"),
        KEYS.popular(1, f"category:{user}"),
        KEYS.list(1, user, "someone"),
        f"other:{KEYS.list(1, 'als', user)}",
        f"{KEYS.list(1, 'als', user)}:more",
        f"shelf:shop:x:user:{{{encode_id(user)}}}",
    }


def write(client: Redis, keys: set[str]) -> None:
    for key in keys:
        if ":masked:" in key:
            client.zadd(key, {"A1": 1.0})
        else:
            client.set(key, "{}")


def names(client: Redis) -> set[str]:
    return {key.decode() for key in client.scan_iter()}


def track_views(client: Redis, *users: str, namespace: str = SHOP) -> list[str]:
    """Add an entry for each user, who did something to an item named like a user."""
    events: list[Any] = [
        client.xadd(Keys(namespace).events, {"item_id": "u1", "user_id": user}) for user in users
    ]
    return [name.decode() for name in events]


@pytest.mark.parametrize("user", HOSTILE)
def test_all_of_one_user_and_nothing_else(redis_client: Redis, user: str) -> None:
    write(redis_client, others(user) | theirs(KEYS, user))
    first, _, third, _ = track_views(redis_client, user, f"{user}x", user, encode_id(user) + "%")
    track_views(redis_client, user, namespace="shop.b")
    expected = Traces(tuple(sorted(theirs(KEYS, user))), (first, third))
    assert traces(redis_client, SHOP, user) == expected
    before = names(redis_client)
    assert forget(redis_client, SHOP, user) == (expected, Traces((), ()))
    assert before - names(redis_client) == theirs(KEYS, user)
    assert redis_client.xlen(KEYS.events) == 2
    assert redis_client.xlen(Keys("shop.b").events) == 1
    assert forget(redis_client, SHOP, user) == (Traces((), ()), Traces((), ()))


def test_a_stranger_to_the_shelf_from_then_on(redis_client: Redis) -> None:
    publish(redis_client)
    publish(redis_client)
    found, left = forget(redis_client, SHOP, "ann")
    assert len(found.keys) == 2
    assert not left
    assert Shelf(redis_client, SHOP).get("ann").source == "popular:all"
    forget(redis_client, SHOP, "bob")
    assert Shelf(redis_client, SHOP).get("bob").source == "popular:all"


def test_nothing_there(redis_client: Redis) -> None:
    assert forget(redis_client, SHOP, "u1") == (Traces((), ()), Traces((), ()))
    assert not Traces((), ())
    assert Traces(("key",), ())
    assert Traces((), ("1-0",))


@pytest.mark.parametrize("n_entries", [BATCH_KEYS - 1, BATCH_KEYS, 2 * BATCH_KEYS + 7])
def test_entries_of_more_than_a_batch(redis_client: Redis, n_entries: int) -> None:
    users = ["u1" if at % 3 == 0 else "u2" for at in range(n_entries)]
    with redis_client.pipeline(transaction=False) as pipe:
        for user in users:
            pipe.xadd(KEYS.events, {"user_id": user})
        pipe.execute()
    found, left = forget(redis_client, SHOP, "u1")
    assert len(found.entries) == len(set(found.entries)) == users.count("u1")
    assert not left
    rest: list[Any] = redis_client.xrange(KEYS.events)  # type: ignore[assignment]
    assert [fields[b"user_id"] for _, fields in rest] == [b"u2"] * users.count("u2")


def test_keys_and_entries_of_more_than_a_command(redis_client: Redis) -> None:
    n_models = 2 * BATCH_KEYS + 1
    with redis_client.pipeline(transaction=False) as pipe:
        for number in range(n_models):
            pipe.set(KEYS.list(1, f"m{number}", "u1"), b"{}")
            pipe.xadd(KEYS.events, {"user_id": "u1"})
        pipe.execute()
    found, left = forget(redis_client, SHOP, "u1")
    assert (len(found.keys), len(found.entries)) == (n_models, n_models)
    assert not left
    assert redis_client.keys() == [KEYS.events.encode()]


def read(client: Redis, after: str) -> list[Any]:
    """Return the fields that a consumer of the group reads: pending ones from 0, else new ones."""
    reply: Any = client.xreadgroup("night", "one", {KEYS.events: after})
    ((_, found),) = reply
    return [fields for _, fields in found]


def test_a_consumer_group_that_has_them_pending_gets_no_word_of_them(redis_client: Redis) -> None:
    track_views(redis_client, "u1", "u2", "u1")
    redis_client.xgroup_create(KEYS.events, "night", id="0")
    assert len(read(redis_client, ">")) == 3
    track_views(redis_client, "u1", "u2")
    found, left = forget(redis_client, SHOP, "u1")
    assert len(found.entries) == 3
    assert not left
    known, new = read(redis_client, "0"), read(redis_client, ">")
    assert [fields.get(b"user_id") if fields else None for fields in known] == [None, b"u2", None]
    assert [fields[b"user_id"] for fields in new] == [b"u2"]


class Busy(Redis):
    """A client beside which a writer puts back what is deleted."""

    def unlink(self, *names: Any) -> Any:
        done = super().unlink(*names)
        self.set(KEYS.user(2, "u1"), json.dumps({"segment": None}))
        return done

    def xdel(self, name: Any, *entries: Any) -> Any:
        done = super().xdel(name, *entries)
        self.xadd(name, {"user_id": "u1"}, id="9999999999999-0")
        return done


@pytest.fixture
def busy(redis_url: str, redis_client: Redis) -> Iterator[Redis]:
    with closing(Busy.from_url(redis_url)) as client:
        yield client


def test_the_proof_tells_what_a_writer_puts_back(redis_client: Redis, busy: Redis) -> None:
    redis_client.set(KEYS.list(1, "als", "u1"), ranked("A1").to_json())
    (entry,) = track_views(redis_client, "u1")
    found, left = forget(busy, SHOP, "u1")
    assert found == Traces((KEYS.list(1, "als", "u1"),), (entry,))
    assert left == Traces((KEYS.user(2, "u1"),), ("9999999999999-0",))
    assert forget(redis_client, SHOP, "u1") == (left, Traces((), ()))


def test_a_key_that_is_no_text_is_passed_over(redis_client: Redis) -> None:
    odd = b"shelf:shop:\xff:{u1}"
    write(redis_client, theirs(KEYS, "u1"))
    redis_client.set(odd, "")
    redis_client.xadd(KEYS.events, {b"user_id": b"\xff", b"\xff": b"u1"})
    _, left = forget(redis_client, SHOP, "u1")
    assert not left
    assert set(redis_client.keys()) == {odd, KEYS.events.encode()}


@pytest.mark.parametrize("user", ["", "x" * 513, "\ud800"])
def test_what_is_no_id(redis_client: Redis, user: str) -> None:
    with pytest.raises(InvalidKey):
        forget(redis_client, SHOP, user)


def test_a_namespace_that_is_none(redis_client: Redis) -> None:
    write(redis_client, theirs(KEYS, "u1"))
    with pytest.raises(InvalidKey):
        forget(redis_client, "*", "u1")
    assert redis_client.dbsize() == len(theirs(KEYS, "u1"))


def test_a_full_redis_forgets(own_redis_client: Redis) -> None:
    client = own_redis_client
    write(client, theirs(KEYS, "u1"))
    track_views(client, "u1", "u2")
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    with pytest.raises(OutOfMemoryError):
        client.set("any", "thing")
    found, left = forget(client, SHOP, "u1")
    assert (len(found.keys), len(found.entries)) == (len(theirs(KEYS, "u1")), 1)
    assert not left
    assert client.xlen(KEYS.events) == 1
