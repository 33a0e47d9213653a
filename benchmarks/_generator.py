"""Load on an HTTP server, from one thread over connections that stay open.

A closed loop asks again as soon as it is answered: it finds what a server can do. Of latency it
tells nothing, since a server that stalls stops its questions too (coordinated omission; G. Tene,
"How NOT to Measure Latency", 2013). An open loop asks at a constant rate whatever happens, and
counts each answer's time from when its request was due: also while all connections are taken, and
while the loop itself is late.
"""

import asyncio
import gc
import random
import re
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import cast

import uvloop

from benchmarks._load import Answer, Load, Verdict

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
#: How long answers are waited for once the last request is due.
_PATIENCE_S = 10.0
#: uvloop's clock ticks in milliseconds: to wait for less is to spin, on a core that others need.
_TICK_S = 0.001
#: So many requests may go out before answers are heard, where the loop is late.
_BREATH = 8
#: Where each run begins among the requests, so that none repeats the one before it.
_begin = random.Random(7)

#: Looks at a status and a body.
Judge = Callable[[int, bytes], Verdict]


@dataclass(frozen=True)
class Target:
    """Requests to send, in turn, to a service on loopback."""

    port: int
    requests: Sequence[bytes]
    judge: Judge
    connections: int = 64


def closed_loop(target: Target, seconds: float) -> Load:
    """Ask on every connection as soon as it is answered."""
    return _run(_closed(target, seconds))


def open_loop(target: Target, per_s: float, seconds: float) -> Load:
    """Ask `per_s` times a second, whether or not earlier requests are answered."""
    return _run(_open(target, per_s, seconds))


def _run(loop: Coroutine[None, None, list[Answer]]) -> Load:
    gc.disable()  # its pauses would be taken for the server's
    try:
        began, cpu = time.monotonic(), time.process_time()
        answers = uvloop.run(loop)
        seconds = time.monotonic() - began
        return Load(answers, seconds, (time.process_time() - cpu) / seconds)
    finally:
        gc.enable()


async def _closed(target: Target, seconds: float) -> list[Answer]:
    caller = await _connected(target)
    caller.again_until_s = time.monotonic() + seconds
    for _ in range(target.connections):
        caller.due(time.monotonic())
    await asyncio.sleep(seconds)
    return await caller.finish()


async def _open(target: Target, per_s: float, seconds: float) -> list[Answer]:
    caller = await _connected(target)
    began, number = time.monotonic(), 0
    while number < per_s * seconds:
        due = began + number / per_s
        if (early := due - time.monotonic()) > 0:
            await asyncio.sleep(max(early, _TICK_S))
        else:
            caller.due(due)
            number += 1
            if not number % _BREATH:
                await asyncio.sleep(0)
    return await caller.finish()


async def _connected(target: Target) -> "_Caller":
    first = _begin.randrange(len(target.requests))
    asked = islice(cycle(target.requests), first, None)
    caller, loop = _Caller(asked, target.judge), asyncio.get_running_loop()
    for _ in range(target.connections):
        _, connection = await loop.create_connection(
            lambda: _Connection(caller), "127.0.0.1", target.port
        )
        caller.free.append(connection)
    return caller


@dataclass
class _Caller:
    """Requests that are due wait for a connection; connections take turns, so none goes idle."""

    requests: Iterator[bytes]
    judge: Judge
    free: "deque[_Connection]" = field(default_factory=deque)
    again_until_s: float = 0.0
    n_due: int = 0
    waiting: deque[float] = field(default_factory=deque)
    answers: list[Answer] = field(default_factory=list)

    def due(self, due_s: float) -> None:
        self.n_due += 1
        self.waiting.append(due_s)
        if self.free:
            self.free.popleft().ask(self.waiting.popleft(), next(self.requests))

    def answered(self, connection: "_Connection", due_s: float, verdict: Verdict) -> None:
        now = time.monotonic()
        self.answers.append(Answer(due_s, now, verdict))
        self.free.append(connection)
        if now < self.again_until_s:
            self.due(now)
        elif self.waiting:
            self.free.popleft().ask(self.waiting.popleft(), next(self.requests))

    def lost(self, connection: "_Connection") -> None:
        if connection in self.free:
            self.free.remove(connection)
        elif connection.due_s is not None:
            self.answers.append(Answer(connection.due_s, time.monotonic(), Verdict("broken")))

    async def finish(self) -> list[Answer]:
        """Return all answers; what is not answered after a while is a fault, too."""
        until = time.monotonic() + _PATIENCE_S
        while len(self.answers) < self.n_due and time.monotonic() < until:
            await asyncio.sleep(0.01)
        now, missing = time.monotonic(), self.n_due - len(self.answers)
        for connection in self.free:
            connection.close()
        return self.answers + [Answer(now - _PATIENCE_S, now, Verdict("no answer"))] * missing


class _Connection(asyncio.Protocol):
    """One request at a time; answers say their length."""

    def __init__(self, caller: _Caller) -> None:
        self._caller = caller
        self._got = b""
        self.due_s: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def ask(self, due_s: float, request: bytes) -> None:
        self.due_s = due_s
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(_HEAD_END)
        length = _LENGTH.search(head)
        if not end or self.due_s is None or length is None or len(body) < int(length[1]):
            return
        self._got, due_s, self.due_s = b"", self.due_s, None
        self._caller.answered(self, due_s, self._caller.judge(int(head[9:12]), body))

    def connection_lost(self, _: Exception | None) -> None:
        self._caller.lost(self)
