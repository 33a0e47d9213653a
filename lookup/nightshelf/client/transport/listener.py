"""Listener on the channel ``invalidate``: a thread, or a task.

A lost or silent server is noticed within `SILENCE_S`; until it replies again, users' values are
cached no longer than without a listener.
"""

import asyncio
import time
from contextlib import aclosing, closing
from threading import Event, Thread
from typing import Any

from redis import Redis
from redis import asyncio as aio

from nightshelf.client.core.failures import FAILURES
from nightshelf.client.core.invalidation import (
    PING_S,
    SILENCE_S,
    apply_message,
    listening_lost,
    listening_started,
)
from nightshelf.client.core.state import ClientState

_RETRY_S = 0.2


class Listener:
    """A listening thread, which holds one connection of the client's pool."""

    def __init__(self, client: Redis, state: ClientState) -> None:
        self._client: Any = client
        self._state = state
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="nightshelf-listener", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for its end."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with closing(self._client.pubsub()) as channel:
                    channel.subscribe(self._state.keys.invalidate)
                    self._listen(channel)
            except FAILURES as error:
                self._state.failed(error)
            finally:
                listening_lost(self._state)
            self._stopped.wait(_RETRY_S)

    def _listen(self, channel: Any) -> None:
        last_at = time.monotonic()
        while not self._stopped.is_set() and time.monotonic() - last_at < SILENCE_S:
            message = channel.get_message(timeout=PING_S)
            if message is None:
                channel.ping()
            else:
                last_at = time.monotonic()
                handle(self._state, message)


async def listen(client: "aio.Redis", state: ClientState) -> None:
    """Listen until cancelled."""
    while True:
        try:
            async with aclosing(client.pubsub()) as channel:
                await channel.subscribe(state.keys.invalidate)
                await _listen(channel, state)
        except FAILURES as error:
            state.failed(error)
        finally:
            listening_lost(state)
        await asyncio.sleep(_RETRY_S)


async def _listen(channel: Any, state: ClientState) -> None:
    last_at = time.monotonic()
    while time.monotonic() - last_at < SILENCE_S:
        message = await channel.get_message(timeout=PING_S)
        if message is None:
            await channel.ping()
        else:
            last_at = time.monotonic()
            handle(state, message)


def handle(state: ClientState, message: dict[str, Any]) -> None:
    """Apply a message; a (repeated) subscription expires what was cached before it."""
    if message["type"] == "subscribe":
        listening_lost(state)
        listening_started(state)
    elif message["type"] == "message":
        apply_message(state, message["data"])
