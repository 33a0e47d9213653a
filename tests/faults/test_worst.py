"""The worst that each login can do (docs/how-to/lock-down-redis.md)."""
# ruff: noqa: F811

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from nightshelf import Shelf
from nightshelf.client.transport.connection import connect
from nightshelf.contract.keys import Keys
from tasks.collector.collect import collect
from tests.faults.nights import SHOP, night
from tests.faults.test_acl import admin, login, own_redis_url, publisher  # noqa: F401
from tests.tasks.collector.event_streams import AT_ONCE, entry_fields, event_ids

KEYS = Keys(SHOP)
END = 2**64 - 1


def says(client: Redis, words: str) -> Any:
    """Run a command as it is written."""
    ask: Any = client.execute_command
    return ask(*words.split(" "))


@contextmanager
def as_role(url: str, role: str) -> Iterator[Redis]:
    with closing(connect(login(url, role))) as client:
        yield client


def test_a_readers_worst_is_to_read(own_redis_url: str, admin: Redis) -> None:
    admin.zadd(KEYS.masked("u1"), {"i1": 1})
    admin.zadd(KEYS.recent("u1"), {"x": 1})
    with as_role(own_redis_url, "reader") as reader:
        assert says(reader, f"ZRANGE {KEYS.masked('u1')} 0 -1") == [b"i1"]
        assert says(reader, f"ZRANGE {KEYS.recent('u1')} 0 -1") == [b"x"]


def test_the_service_may_hide_show_and_drop_what_is_told(
    own_redis_url: str,
    admin: Redis,
    tmp_path: Path,
) -> None:
    """And the collector says so each time, mends what it can, and goes on."""
    log = tmp_path / "log"
    with as_role(own_redis_url, "service") as service, as_role(own_redis_url, "collector") as own:
        service.xadd(KEYS.events, entry_fields("first"))
        assert collect(own, SHOP, log, AT_ONCE).n_events == 1

        for name in ("a", "b", "c"):
            service.xadd(KEYS.events, entry_fields(name))
        says(service, f"XADD {KEYS.events} MAXLEN 0 * a b")
        collected = collect(own, SHOP, log, AT_ONCE)
        assert (collected.n_events, collected.n_lost) == (0, 4)

        service.xadd(KEYS.events, entry_fields("last"), id=f"{END}-{END}")
        with pytest.raises(ResponseError, match=r"exhausted|equal or smaller"):
            service.xadd(KEYS.events, entry_fields("refused"))
        collected = collect(own, SHOP, log, AT_ONCE)
        assert (collected.n_malformed, collected.mended) == (1, True)
        service.xadd(KEYS.events, entry_fields("after"))
        collected = collect(own, SHOP, log, AT_ONCE)
        assert (collected.n_events, collected.n_lost, collected.mended) == (1, 0, False)
        assert event_ids(log) == ["after", "first"]

        service.zadd(KEYS.masked("u1"), {"i1": 1})
        says(service, f"EXPIRE {KEYS.masked('u1')} 0")
        assert not admin.exists(KEYS.masked("u1"))
        says(service, f"EXPIRE {KEYS.refresh_queue} 0")


def test_a_stream_that_was_deleted_is_noticed(own_redis_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with as_role(own_redis_url, "collector") as own, as_role(own_redis_url, "operator") as person:
        shelf = Shelf.from_url(login(own_redis_url, "service"), SHOP)
        assert not collect(own, SHOP, log, AT_ONCE).restarted, "there was none before"
        assert shelf.clicked("u1", "i1").recorded
        assert not collect(own, SHOP, log, AT_ONCE).restarted
        assert shelf.clicked("u1", "i2").recorded
        person.delete(KEYS.events)
        assert shelf.clicked("u1", "i3").recorded
        collected = collect(own, SHOP, log, AT_ONCE)
        assert (collected.restarted, collected.n_events) == (True, 1)
        assert not collect(own, SHOP, log, AT_ONCE).restarted


def test_a_collectors_worst_is_to_drop_what_was_told(own_redis_url: str, admin: Redis) -> None:
    admin.xadd(KEYS.events, entry_fields("a"))
    with as_role(own_redis_url, "collector") as own:
        assert says(own, f"XTRIM {KEYS.events} MAXLEN 0") == 1
        says(own, f"XSETID {KEYS.events} {END}-{END}")


def test_a_refreshers_worst_is_false_lists_and_an_empty_queue(
    own_redis_url: str,
    publisher: Redis,
    admin: Redis,
    tmp_path: Path,
) -> None:
    night(publisher, tmp_path, 20)
    admin.sadd(KEYS.blocked, "i1")
    before = admin.get(KEYS.current), admin.smembers(KEYS.blocked)
    with as_role(own_redis_url, "refresher") as refresher:
        says(refresher, f"SET {KEYS.list(1, 'als', 'u0001')} {{}} PX 1")
        says(refresher, f"SET {KEYS.row_update('u0001')} {{}}")
        says(refresher, f"EXPIRE {KEYS.refresh_queue} 0")
        says(refresher, f"HSET {KEYS.refreshed(1)} added 9")
    assert (admin.get(KEYS.current), admin.smembers(KEYS.blocked)) == before


def test_a_publishers_worst_is_its_generations_and_the_pointer(
    own_redis_url: str,
    publisher: Redis,
    admin: Redis,
    tmp_path: Path,
) -> None:
    night(publisher, tmp_path, 20)
    admin.sadd(KEYS.blocked, "i1")
    says(publisher, f"UNLINK {KEYS.popular(1, 'all')}")
    says(publisher, f"SET {KEYS.current} x")
    says(publisher, f"HDEL {KEYS.generations} 1")
    assert admin.smembers(KEYS.blocked) == {b"i1"}


def test_an_operators_worst_is_the_whole_namespace(own_redis_url: str, admin: Redis) -> None:
    with as_role(own_redis_url, "operator") as person:
        for key in (KEYS.current, KEYS.blocked, KEYS.events, KEYS.masked("u1")):
            says(person, f"DEL {key}")
    assert admin.get(Keys("home").current) == b"theirs"
