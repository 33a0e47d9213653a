"""A reader's Redis is slow, frozen, gone, loading, barred, or another one.

Always an answer, in time, labelled, its cause counted, and the lists again soon after. Bounds are
generous, for busy machines; `benchmarks/lookup.py` has the figures.
"""

import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from socket import AF_INET, SHUT_RDWR, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket
from subprocess import DEVNULL, Popen
from typing import Any

import pytest
from redis import Redis

from nightshelf import ReadSettings
from nightshelf.contract.keys import Keys
from tests.conftest import process_id
from tests.faults.servers import serving
from tests.lookup.clients import CLIENTS, ShelfOf, opening
from tests.lookup.shelves import SHOP, ids, publish

KEYS = Keys(SHOP)
DEADLINE_S = 0.05
#: What a busy machine may add to a deadline.
ROOM_S = 0.4
RECOVERED_S = 2.0


@pytest.fixture(params=CLIENTS)
def shelf_of(request: pytest.FixtureRequest) -> Iterator[ShelfOf]:
    with opening(request.param) as open_one:
        yield open_one


def in_time(shelf: Any, user: str = "ann") -> Any:
    started = time.monotonic()
    result = shelf.get(user)
    assert time.monotonic() - started < DEADLINE_S + ROOM_S
    return result


def recovers(shelf: Any, generation: int = 1) -> float:
    """Read until the list comes from Redis again; return how many seconds that took."""
    started = time.monotonic()
    while True:
        result = shelf.get("ann")
        if result.source == "list" and not result.cached and result.generation == generation:
            return time.monotonic() - started
        assert time.monotonic() - started < RECOVERED_S + 3, result
        time.sleep(0.02)


def warmed(shelf_of: ShelfOf, url: str, **changes: Any) -> Any:
    """Open a shelf of a page's deadline that has read once; a busy machine may need a few tries."""
    shelf = shelf_of(url, timeout_s=DEADLINE_S, settings=ReadSettings(**changes))
    recovers(shelf)
    return shelf


def test_frozen_and_awake_again(
    own_redis_url: str,
    own_redis_client: Redis,
    shelf_of: ShelfOf,
    figure: Callable[[int, str], None],
) -> None:
    publish(own_redis_client)
    shelf = warmed(shelf_of, own_redis_url, max_bytes=0)
    kept = warmed(shelf_of, own_redis_url, list_ttl_s=0.0, mask_ttl_s=0.0)
    pid = process_id(own_redis_url)
    os.kill(pid, signal.SIGSTOP)
    waited = []
    for _ in range(30):
        started = time.monotonic()
        assert in_time(shelf).source == "last-good"
        waited.append(time.monotonic() - started)
        stale = in_time(kept)
        assert (stale.source, ids(stale), stale.cached) == ("list", ("A1", "B1", "C1"), True)
    causes = shelf.counters().causes
    assert causes["timeout"] >= ReadSettings().breaker_after
    assert causes["breaker"] > 0
    assert shelf.counters().breaker_open
    assert sorted(waited)[len(waited) // 2] < DEADLINE_S, "the breaker spares most of them the wait"
    assert kept.counters().stale > 0
    os.kill(pid, signal.SIGCONT)
    own_redis_client.ping()
    recovered_s = max(map(recovers, (shelf, kept)))
    assert not any(each.counters().breaker_open for each in (shelf, kept))
    within_s = math.ceil(max(RECOVERED_S, recovered_s))
    figure(
        14,
        "frozen: 60 of 60 reads answered, from the last good copy or the process's own, over half "
        f"of them before their deadline; lists from Redis again within {within_s} s of its waking",
    )


@contextmanager
def slow(port: int, by_s: float) -> Iterator["Slow"]:
    """Run a proxy that passes each chunk of a reply on after a while."""
    with socket(AF_INET, SOCK_STREAM) as listener:
        listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        proxy = Slow(listener, port, by_s)
        thread = threading.Thread(target=proxy.serve)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(SHUT_RDWR)
            thread.join()
            for each in proxy.threads:
                each.join()


class Slow:
    """A proxy whose `by_s` may be changed while it runs."""

    def __init__(self, listener: socket, port: int, by_s: float) -> None:
        self.port: int = listener.getsockname()[1]
        self.by_s = by_s
        self.threads: list[threading.Thread] = []
        self._listener, self._upstream = listener, ("127.0.0.1", port)

    def serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket(AF_INET, SOCK_STREAM)
            far.connect(self._upstream)
            for source, target, held in ((near, far, False), (far, near, True)):
                thread = threading.Thread(target=self._carry, args=(source, target, held))
                self.threads.append(thread)
                thread.start()

    def _carry(self, source: socket, target: socket, held: bool) -> None:
        try:
            with suppress(OSError):
                while data := source.recv(65_536):
                    if held:
                        time.sleep(self.by_s)
                    target.sendall(data)
        finally:
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(SHUT_RDWR)
                end.close()


def test_the_deadline_is_of_the_whole_call(own_redis_url: str, own_redis_client: Redis) -> None:
    """Each round trip takes 30 ms, and a stranger's answer takes three: the second is cut off."""
    publish(own_redis_client)
    port = int(own_redis_url.rpartition(":")[2].partition("/")[0])
    with slow(port, 0.0) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        for kind in CLIENTS:
            proxy.by_s = 0.0
            with opening(kind) as shelf_of:
                shelf = warmed(shelf_of, url, max_bytes=0)
                proxy.by_s = 0.03
                sources = set()
                for _ in range(4):
                    time.sleep(0.6)  # the breaker's next probe, where it has opened
                    started = time.monotonic()
                    sources.add(shelf.get("bob").source)
                    assert time.monotonic() - started < 2 * DEADLINE_S + 0.2
                assert sources == {"last-good"}
                assert shelf.counters().causes["timeout"] >= 1


def test_busy_with_a_long_command(
    own_redis_url: str, own_redis_client: Redis, shelf_of: ShelfOf
) -> None:
    publish(own_redis_client)
    shelf = warmed(shelf_of, own_redis_url, max_bytes=0)
    own_redis_client.client_pause(600, all=True)
    assert in_time(shelf).source == "last-good"
    assert shelf.counters().causes["timeout"] == 1
    recovers(shelf)


def test_gone_and_back_as_another(tmp_path: Path, shelf_of: ShelfOf) -> None:
    """A failover: the port is answered by another server, which has a newer generation."""
    for kind in ("valkey", "redis"):
        with serving(kind, tmp_path) as server:
            with closing(Redis.from_url(server.url)) as client:
                publish(client)
            shelf = warmed(shelf_of, server.url, max_bytes=0)
            server.kill()
            results = [in_time(shelf) for _ in range(10)]
            assert {result.source for result in results} == {"last-good"}
            assert shelf.counters().causes["refused"] >= ReadSettings().breaker_after
            server.forget()
            server.start()
            with closing(Redis.from_url(server.url)) as client:
                publish(client, 7)
            recovers(shelf, 7)
            assert ids(shelf.get("ann")) == ("A7", "B7", "C7")


def test_loading(tmp_path: Path, shelf_of: ShelfOf) -> None:
    with serving("redis", tmp_path) as server:
        with closing(Redis.from_url(server.url)) as client:
            publish(client)
            client.mset({f"filler:{at}": "x" * 10 for at in range(1_500)})
            client.save()
        shelf = warmed(shelf_of, server.url, max_bytes=0)
        server.kill()
        slowly = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
        at = ("--port", str(server.port), "--bind", "127.0.0.1", "--dir", str(tmp_path))
        with Popen([server.program, *at, *slowly, "--save", ""], stdout=DEVNULL) as loading:
            try:
                until = time.monotonic() + 10
                while not shelf.counters().causes.get("loading"):
                    assert in_time(shelf).source == "last-good"
                    assert time.monotonic() < until, shelf.counters()
                    time.sleep(0.02)
                recovers(shelf)
            finally:
                loading.kill()


def test_barred_with_a_wrong_password(
    own_redis_url: str, own_redis_client: Redis, shelf_of: ShelfOf
) -> None:
    publish(own_redis_client)
    own_redis_client.config_set("requirepass", "right")
    place = own_redis_url.removeprefix("redis://")
    shelf = shelf_of(f"redis://:wr0ng-secret@{place}", timeout_s=1.0)
    for _ in range(10):
        assert shelf.get("ann").source == "none"
    causes = shelf.counters().causes
    assert causes["auth"] == ReadSettings().breaker_after
    assert causes["breaker"] == 10 - causes["auth"]
    assert "wr0ng" not in f"{shelf!r} {shelf.counters()!r}"


def test_a_login_that_may_not_read_masks_reads_lists(
    own_redis_url: str, own_redis_client: Redis, shelf_of: ShelfOf
) -> None:
    """A login of before there were masks: lists go on, and the want of a right is counted."""
    publish(own_redis_client)
    commands = ["+get", "+mget", "+smembers", "+ping", "+select"]
    own_redis_client.acl_setuser(
        "old", enabled=True, nopass=True, keys=["shelf:*"], commands=commands
    )
    shelf = shelf_of(own_redis_url.replace("redis://", "redis://old:any@"))
    assert shelf.get("ann").source == "list"
    assert shelf.counters().causes["auth"] >= 1
    assert not shelf.counters().breaker_open


@pytest.mark.parametrize("value", [b"\xff", b"[1]", b"{}"])
def test_corrupt_and_missing_are_counted(
    own_redis_url: str, own_redis_client: Redis, shelf_of: ShelfOf, value: bytes
) -> None:
    publish(own_redis_client)
    own_redis_client.set(KEYS.list(1, "als", "ann"), value)
    shelf = shelf_of(own_redis_url)
    assert shelf.get("ann").source == "popular:all"
    assert shelf.counters().causes == {"corrupt": 1}
    own_redis_client.flushdb()
    empty = shelf_of(own_redis_url)
    assert empty.get("ann").source == "none"
    assert empty.counters().causes == {"missing": 1}


def test_flips_under_load_mix_nothing(
    own_redis_url: str,
    own_redis_client: Redis,
    shelf_of: ShelfOf,
    figure: Callable[[int, str], None],
) -> None:
    """Pages, strangers, similar items and metadata: one answer, one generation, kept or not."""
    publish(own_redis_client)
    shelf = shelf_of(own_redis_url)
    done = threading.Event()

    def flip() -> None:
        with closing(Redis.from_url(own_redis_url)) as client:
            while not done.wait(0.1):
                publish(client)

    flipping = threading.Thread(target=flip)
    flipping.start()
    seen, choose = set[int](), random.Random(3)
    try:
        began = time.monotonic()
        # The publisher gets the interpreter now and then, so that a flip can take a second.
        while (took_s := time.monotonic() - began) < 3.5 or (len(seen) <= 2 and took_s < 30):
            for result in (
                *shelf.get_many(["ann", "bob", "eve"]),
                shelf.get(choose.choice(["ann", "bob", "eve"]), metadata=True),
                shelf.popular("segment:gold"),
            ):
                assert {int(item.item_id[1:]) for item in result.items} == {result.generation}
                titles = {item.metadata["title"] for item in result.items if item.metadata}
                assert titles <= {f"Lamp {result.generation}", "[bold]Shade\x1b[2J"}
                seen.add(result.generation)
    finally:
        done.set()
        flipping.join()
    assert len(seen) > 2
    figure(
        14,
        "flips one upon another for 3.5 s: 0 answers mixed, kept or read, alone or in batches",
    )
