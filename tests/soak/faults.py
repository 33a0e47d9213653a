"""Faults injected into the server, and an operator at work meanwhile."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import closing
from threading import Event

from redis import Redis, RedisError

from nightshelf.admin import generations
from nightshelf.admin.blocklist import block, unblock
from nightshelf.admin.canary import release
from nightshelf.admin.lifecycle import pin, promote, rollback, unpin
from nightshelf.client.transport.connection import connect
from nightshelf.errors import TransitionRefused
from tests.faults.servers import Server
from tests.soak.journal import Journal
from tests.soak.shop import NAMESPACE


def inject_faults(server: Server, journal: Journal, choose: random.Random, done: Event) -> None:
    """Freeze, pause or kill the server now and then; a killed one comes back with its AOF."""
    while not done.wait(choose.uniform(6, 15)):
        what = choose.choice([_freeze, _pause, _kill])
        with journal.noting("outage", what=what.__name__.strip("_")):
            what(server, choose)


def _freeze(server: Server, choose: random.Random) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)
    time.sleep(choose.uniform(0.2, 4))
    os.kill(server.process.pid, signal.SIGCONT)
    server.await_ready()


def _pause(server: Server, choose: random.Random) -> None:
    seconds = choose.uniform(0.2, 2)
    with closing(Redis.from_url(server.url)) as client:
        client.client_pause(int(1000 * seconds), all=True)
        client.ping()


def _kill(server: Server, choose: random.Random) -> None:
    server.kill()
    time.sleep(choose.uniform(0.2, 2))
    server.start()


class Operator:
    """Rolls back, promotes, pins, releases canaries, blocks and unblocks, at random."""

    def __init__(self, url: str, journal: Journal, choose: random.Random, items: list[str]) -> None:
        self._url, self._journal, self._choose, self._items = url, journal, choose, items
        self._blocked: list[str] = []

    def work(self, done: Event) -> None:
        """Act until `done` is set."""
        acts = [
            self._block, self._block, self._unblock,
            self._roll_back, self._pin, self._unpin, self._canary, self._promote,
        ]  # fmt: skip
        while not done.wait(self._choose.uniform(0.5, 3)):
            act = self._choose.choice(acts)
            with self._journal.noting("operator", act=act.__name__.strip("_")) as line:
                line["outcome"] = self._outcome(act)

    def settle(self) -> None:
        """Leave nothing in the way of the last night."""
        with closing(connect(self._url, timeout_s=10)) as client:
            unpin(client, NAMESPACE)

    def _outcome(self, act: Callable[[Redis], object]) -> str:
        try:
            with closing(connect(self._url, timeout_s=2)) as client:
                act(client)
        except TransitionRefused as refused:
            return f"refused: {refused.reason}"
        except (RedisError, OSError):
            return "no answer"
        return "done"

    def _block(self, client: Redis) -> None:
        if len(self._blocked) < 30:
            item = self._choose.choice(self._items)
            began = time.monotonic()
            block(client, NAMESPACE, [item])
            self._journal.note("block", began, item=item)
            self._blocked.append(item)

    def _unblock(self, client: Redis) -> None:
        if self._blocked:
            item = self._blocked.pop(0)
            with self._journal.noting("unblock", item=item):  # noted where its answer is lost, too
                unblock(client, NAMESPACE, [item])

    def _roll_back(self, client: Redis) -> None:
        rollback(client, NAMESPACE)

    def _pin(self, client: Redis) -> None:
        if live := generations.current(client, NAMESPACE):
            pin(client, NAMESPACE, live.generation)

    def _unpin(self, client: Redis) -> None:
        unpin(client, NAMESPACE)

    def _canary(self, client: Redis) -> None:
        for each in self._staged(client):
            release(client, NAMESPACE, each, self._choose.choice([5, 50]))

    def _promote(self, client: Redis) -> None:
        for each in self._staged(client):
            promote(client, NAMESPACE, each, force=True)

    def _staged(self, client: Redis) -> list[int]:
        known = generations.listing(client, NAMESPACE)
        return [each.generation for each in known if each.state == "staged"][:1]
