"""The cache: bounds, TTLs, early refresh by chance, one read at a time."""

import asyncio
import json
import math
import random
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from nightshelf import AsyncShelf, ReadSettings, Shelf
from nightshelf.client.core import stored_list
from nightshelf.client.core.cache import Cache
from nightshelf.client.core.circuit_breaker import Breaker
from nightshelf.client.core.pointer import begin
from nightshelf.client.core.protocol import Exchange
from nightshelf.client.core.read import LIST, fetch
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.core.stored_list import StoredList
from nightshelf.client.transport.connection import connect, connect_async
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import RankedList
from nightshelf.errors import CorruptValue
from tests.lookup.shelves import SHOP, Clock, ids, publish, ranked

KEYS = Keys(SHOP)


def cache(clock: Clock, **changes: Any) -> Cache:
    bounds = {"max_entries": 100, "max_bytes": 10**7, "stale_s": 60.0, "beta": 0.0} | changes
    return Cache(**bounds, clock=clock)


def put(kept: Cache, key: str, value: object = 1, *, took_s: float = 0.0, n_bytes: int = 0) -> None:
    kept.put(key, value, fresh_s=10, took_s=took_s, n_bytes=n_bytes)


def test_least_recently_used_goes_first() -> None:
    kept = cache(Clock(), max_entries=3)
    for key in "abc":
        put(kept, key)
    kept.lookup("a")
    put(kept, "d")
    assert len(kept) == 3
    assert kept.lookup("abcd") == ({"a": 1, "c": 1, "d": 1}, ["b"], [])


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3_000)), max_size=60),
    st.integers(1, 6),
    st.integers(0, 30_000),
)
def test_bounds_hold_whatever_is_put(
    puts: list[tuple[str, int]], max_entries: int, max_bytes: int
) -> None:
    kept = cache(Clock(), max_entries=max_entries, max_bytes=max_bytes)
    for key, n_bytes in puts:
        put(kept, key, n_bytes, n_bytes=n_bytes)
        assert len(kept) <= max_entries
        assert kept.n_bytes <= max_bytes
        fresh, _, _ = kept.lookup([key])
        assert fresh in ({key: n_bytes}, {})


def test_the_estimate_of_memory_is_on_the_safe_side() -> None:
    chosen = random.Random(1)
    kept = cache(Clock(), max_entries=10**6, max_bytes=10**9)

    def value() -> bytes:
        items = [f"item-{chosen.randrange(10**6)}" for _ in range(50)]
        because = [("because", chosen.choice(items)) for _ in items]
        scores = tuple(chosen.random() for _ in items)
        return RankedList(tuple(items), scores, tuple(because)).to_json()

    values = [value() for _ in range(400)]
    tracemalloc.start()
    for at, each in enumerate(values):
        shelved = StoredList.from_json(each)
        shelved.first(10)
        shelved.names({"x"})
        put(kept, KEYS.list(1, "als", f"u{at}"), shelved, n_bytes=len(each))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.3 * kept.n_bytes < used < kept.n_bytes


def test_fresh_then_stale_then_gone() -> None:
    clock = Clock()
    kept = cache(clock)
    put(kept, "a")
    clock.now_s = 9.99
    assert kept.lookup("a") == ({"a": 1}, [], [])
    clock.now_s = 10.0
    assert kept.lookup("a") == ({}, ["a"], [])
    copy = kept.stale("a")
    assert copy is not None and copy.value == 1
    clock.now_s = 70.0
    assert kept.stale("a") is None
    assert (kept.stats.hits, kept.stats.misses, kept.stats.stale) == (1, 1, 1)


def test_dropped_and_aged() -> None:
    kept = cache(Clock())
    for key in "abc":
        put(kept, key)
    kept.drop("a")
    kept.drop_where(lambda key: key == "b")
    kept.age(lambda key: key == "c")
    assert kept.lookup("abc") == ({}, ["a", "b", "c"], [])
    assert kept.stale("b") is None
    assert kept.stale("c") is not None


@pytest.mark.parametrize(
    ("chance", "early"), [(1.0, False), (math.exp(-4.9), False), (math.exp(-5.1), True)]
)
def test_xfetch_by_its_formula(chance: float, early: bool) -> None:
    """Five seconds before its time, a read that takes one is due where -log(chance) is over 5."""
    clock = Clock()
    kept = Cache(9, 10**6, 0.0, 1.0, clock, lambda: chance)
    put(kept, "a", took_s=1.0)
    clock.now_s = 5.0
    assert kept.lookup("a") == ({"a": 1}, [], ["a"] if early else [])


def test_xfetch_spreads_as_it_should() -> None:
    """Early refreshes are exponential-like where asked every 1/20 of a read's time."""
    clock, draw = Clock(), random.Random(7)
    kept = Cache(9, 10**6, 0.0, 1.0, clock, lambda: 1.0 - draw.random())
    leads = []
    for _ in range(400):
        clock.now_s = 0.0
        put(kept, "a", took_s=0.1)
        while kept.lookup("a") == ({"a": 1}, [], []):
            clock.now_s += 0.005
        leads.append(10 - clock.now_s)
    assert min(leads) >= -0.005
    # With m draws for each read's time, P(no refresh before lead) = prod(1 - exp(-lead_i/took)).
    expected = _mean_lead(0.1, 0.005)
    assert sum(leads) / len(leads) == pytest.approx(expected, rel=0.1)


def _mean_lead(took_s: float, step_s: float) -> float:
    none_yet, mean, lead = 1.0, 0.0, 10.0
    while lead > 0:
        now = math.exp(-lead / took_s)
        mean += none_yet * now * lead
        none_yet *= 1 - now
        lead -= step_s
    return mean


def test_one_reads_early_and_the_rest_have_the_copy(redis_client: Redis, trips: Any) -> None:
    publish(redis_client)
    clock = Clock()
    shelf = Shelf(redis_client, SHOP, clock=clock, chance=lambda: 1e-300)
    shelf.popular()
    trips.batches.clear()
    clock.now_s = 0.9
    assert shelf.popular().cached  # it took no time by this clock, so there is nothing to spread
    for copy in list(shelf._state.cache._entries.items()):
        shelf._state.cache._entries[copy[0]] = copy[1]._replace(took_s=0.05)
    clock.now_s = 29.5
    redis_client.set(KEYS.popular(1, "all"), ranked("N1").to_json())
    assert ids(shelf.popular()) == ("N1",)
    assert trips.batches == ["GET+SMEMBERS+SMEMBERS", "MGET"]


def test_the_breaker_opens_probes_and_closes() -> None:
    clock = Clock()
    breaker = Breaker(3, 0.5, clock)

    def state() -> str:
        return "open" if breaker.is_open else "closed"

    for _ in range(2):
        breaker.failed()
    breaker.answered()
    for _ in range(3):
        assert breaker.admits()
        breaker.failed()
    assert state() == "open"
    assert not breaker.admits()
    clock.now_s = 0.5
    assert [breaker.admits() for _ in range(5)] == [True] + [False] * 4
    breaker.failed()
    clock.now_s = 0.9
    assert not breaker.admits()
    clock.now_s = 1.0
    assert breaker.admits()
    breaker.answered()
    assert state() == "closed"
    assert all(breaker.admits() for _ in range(5))


def test_the_breaker_lets_one_thread_probe() -> None:
    clock = Clock()
    breaker = Breaker(1, 1.0, clock)
    breaker.failed()
    clock.now_s = 1.0
    gate = threading.Barrier(16)

    def ask(_: int) -> bool:
        gate.wait()
        return breaker.admits()

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(16))) == 1


def n_reads(client: Redis) -> dict[str, int]:
    stats: dict[str, Any] = client.info("commandstats")
    return {
        name: int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("mget", "zrange")
    }


def test_many_threads_read_a_key_once(own_redis_url: str, own_redis_client: Redis) -> None:
    publish(own_redis_client)
    with closing(connect(own_redis_url, timeout_s=20)) as client:
        shelf = Shelf(client, SHOP, settings=ReadSettings(list_ttl_s=60, mask_ttl_s=60))
        shelf.popular()
        own_redis_client.config_resetstat()
        own_redis_client.client_pause(200, all=True)
        gate = threading.Barrier(30)

        def ask(_: int) -> Any:
            gate.wait()
            return shelf.get("ann")

        with ThreadPoolExecutor(30) as pool:
            results = list(pool.map(ask, range(30)))
    assert {ids(result) for result in results} == {("A1", "B1", "C1")}
    assert n_reads(own_redis_client) == {"mget": 1, "zrange": 1}


def test_many_tasks_read_a_key_once(own_redis_url: str, own_redis_client: Redis) -> None:
    publish(own_redis_client)

    async def ask() -> list[Any]:
        client = connect_async(own_redis_url, timeout_s=20)
        shelf = AsyncShelf(client, SHOP, settings=ReadSettings(list_ttl_s=60, mask_ttl_s=60))
        first = asyncio.create_task(shelf.get("ann"))
        rest = [shelf.get(user) for user in ["ann"] * 30 + ["eve"] * 30]
        results = [await first, *await asyncio.gather(*rest)]
        await shelf.aclose()
        return results

    own_redis_client.config_resetstat()
    results = asyncio.run(ask())
    assert {result.source for result in results} == {"list", "popular:all"}
    # Everyone's list (kept as the last good copy), ann's list, eve's list, eve's row.
    assert n_reads(own_redis_client) == {"mget": 4, "zrange": 2}


def test_a_cancelled_reader_leaves_nobody_waiting(
    own_redis_url: str, own_redis_client: Redis
) -> None:
    publish(own_redis_client)

    async def ask() -> Any:
        shelf = AsyncShelf(connect_async(own_redis_url, timeout_s=20), SHOP)
        await shelf.popular()
        own_redis_client.client_pause(300, all=True)
        first = asyncio.create_task(shelf.get("ann"))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(shelf.get("ann"))
        await asyncio.sleep(0.05)
        first.cancel()
        waited = await second
        third = await shelf.get("ann")
        await shelf.aclose()
        return waited.source, third.source

    waited, third = asyncio.run(ask())
    assert waited in ("list", "popular:all", "last-good")  # its read failed
    assert third == "list"


def test_asyncio_hears_of_actions(own_redis_url: str, own_redis_client: Redis) -> None:
    publish(own_redis_client)

    async def ask() -> None:
        shelf = AsyncShelf(connect_async(own_redis_url, timeout_s=10), SHOP, clock=Clock())
        async with asyncio.timeout(20), shelf.listening():
            while not shelf._state.listening:
                await asyncio.sleep(0.01)
            assert "A1" in ids(await shelf.get("ann"))
            Shelf(own_redis_client, SHOP).acted("ann", "purchase", "A1")
            while ids(await shelf.get("ann")) != ("B1", "C1"):
                await asyncio.sleep(0.01)
        heard = [shelf._state.listening]
        await shelf.aclose()
        assert heard == [False]

    asyncio.run(ask())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1e6, 1e6) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)
values = st.lists(st.text(max_size=3), max_size=4)


@given(
    items=values | json_values,
    scores=st.lists(st.floats(-1e6, 1e6), max_size=4) | json_values,
    reasons=st.lists(values, max_size=3) | json_values,
    why=st.lists(st.integers(-4, 4), max_size=4) | json_values,
    plain=st.booleans(),
)
def test_decodes_to_what_the_contract_says(
    items: Any, scores: Any, reasons: Any, why: Any, plain: bool
) -> None:
    raw = {"items": items, "scores": scores, "reasons": reasons, "why": why}
    value = json.dumps(raw).encode("utf-8", "surrogatepass")
    if not all(isinstance(each, list) for each in raw.values()):
        return
    expected: RankedList | None
    try:
        expected = RankedList.from_json(value)
    except CorruptValue:
        expected = None
    with pytest.MonkeyPatch.context() as patched:
        if plain:
            patched.setattr(stored_list, "loads", json.loads)
        try:
            found = StoredList.from_json(value).ranked()
        except CorruptValue:
            assert expected is None
        else:
            assert found == expected


def test_who_waits_for_a_read_that_fails_falls_back_with_it(
    own_redis_url: str, own_redis_client: Redis
) -> None:
    """One read fails for ten who ask: one failure is counted, and none of them asks again."""
    publish(own_redis_client)
    with closing(connect(own_redis_url, timeout_s=1)) as client:
        shelf = Shelf(client, SHOP)
        shelf.popular()
        own_redis_client.client_pause(1_500, all=True)
        gate = threading.Barrier(10)

        def ask(_: int) -> Any:
            gate.wait()
            return shelf.get("ann").source

        with ThreadPoolExecutor(10) as pool:
            sources = list(pool.map(ask, range(10)))
    assert sources == ["last-good"] * 10
    assert shelf.counters().causes["timeout"] <= 2


@pytest.mark.parametrize("asking", [begin, lambda state: fetch(state, CallState(), {"key": LIST})])
def test_nobody_waits_for_the_one_who_tries_whether_redis_is_back(
    asking: Callable[[ClientState], Exchange[Any]],
) -> None:
    """While one call waits for its answer, until its deadline, all others are answered at once."""
    state = ClientState(SHOP, ReadSettings(), Clock())
    first = asking(state)
    assert isinstance(next(first), list)  # it asks Redis
    assert isinstance(next(asking(state)), Future)  # another waits for that
    for _ in range(3):
        state.failed(TimeoutError())
    with pytest.raises(StopIteration):
        next(asking(state))
    first.close()
