"""Hearing of what others tell: a thread, or a task, that is subscribed to ``invalidate``.

A lost or silent server is noticed within `SILENCE_S`; until it is heard again, what belongs to
users is kept for no longer than without a listener.
"""

import asyncio
import time
from contextlib import aclosing, closing
from threading import Event, Thread
from typing import Any

from redis import Redis
from redis import asyncio as aio

from nightshelf.client.core.invalidation import PING_S, SILENCE_S, hear, tuned_in, tuned_out
from nightshelf.client.core.state import Mind
from nightshelf.client.transport.connection import FAILURES

_AGAIN_S = 0.2


class Listener:
    """A thread of its own, which takes one connection of the client's pool."""

    def __init__(self, client: Redis, mind: Mind) -> None:
        self._client: Any = client
        self._mind = mind
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="nightshelf-listener", daemon=True)

    def start(self) -> None:
        """Begin to listen; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no longer; returns once the thread has ended."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with closing(self._client.pubsub()) as channel:
                    channel.subscribe(self._mind.keys.invalidate)
                    self._listen(channel)
            except FAILURES as error:
                self._mind.failed(error)
            finally:
                tuned_out(self._mind)
            self._stopped.wait(_AGAIN_S)

    def _listen(self, channel: Any) -> None:
        heard_at = time.monotonic()
        while not self._stopped.is_set() and time.monotonic() - heard_at < SILENCE_S:
            message = channel.get_message(timeout=PING_S)
            if message is None:
                channel.ping()
            else:
                heard_at = time.monotonic()
                take(self._mind, message)


async def listen(client: "aio.Redis", mind: Mind) -> None:
    """Listen until cancelled."""
    while True:
        try:
            async with aclosing(client.pubsub()) as channel:
                await channel.subscribe(mind.keys.invalidate)
                await _listen(channel, mind)
        except FAILURES as error:
            mind.failed(error)
        finally:
            tuned_out(mind)
        await asyncio.sleep(_AGAIN_S)


async def _listen(channel: Any, mind: Mind) -> None:
    heard_at = time.monotonic()
    while time.monotonic() - heard_at < SILENCE_S:
        message = await channel.get_message(timeout=PING_S)
        if message is None:
            await channel.ping()
        else:
            heard_at = time.monotonic()
            take(mind, message)


def take(mind: Mind, message: dict[str, Any]) -> None:
    """Act on what the channel gave: a message, or that it was subscribed to (again, perhaps)."""
    if message["type"] == "subscribe":
        tuned_out(mind)
        tuned_in(mind)
    elif message["type"] == "message":
        hear(mind, message["data"])
