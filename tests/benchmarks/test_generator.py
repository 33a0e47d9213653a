"""The load's own figures: a stall of known length is seen whole, and faults are counted."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks._generator import Target, closed_loop, open_loop
from benchmarks._load import Answer, Load, Verdict

PER_S, SECONDS, STALL_S = 400, 1.0, 0.3
BODY = b'{"a": 1}'
OK = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
_HEAD_END = b"\r\n\r\n"


class Server:
    """Answers on loopback, in a thread; at its `stall_at`-th request it stands still a while."""

    def __init__(self, stall_at: int = -1, answer: bytes = OK) -> None:
        self.port = 0
        self._stall_at, self._answer = stall_at, answer
        self._n_asked = 0

    async def serve(self, ready: threading.Event) -> None:
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        async with await asyncio.start_server(self._speak, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await self._done.wait()

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                await reader.readuntil(_HEAD_END)
            except asyncio.IncompleteReadError:
                break
            self._n_asked += 1
            if self._n_asked == self._stall_at:
                time.sleep(STALL_S)
            if not self._answer:
                break
            # In two pieces, as a busy network may.
            writer.write(self._answer[:20])
            await writer.drain()
            writer.write(self._answer[20:])
        writer.close()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)


@contextmanager
def serving(stall_at: int = -1, answer: bytes = OK) -> Iterator[int]:
    server, ready = Server(stall_at, answer), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(ready)))
    thread.start()
    assert ready.wait(10)
    try:
        yield server.port
    finally:
        server.end()
        thread.join()


def judge(status: int, body: bytes) -> Verdict:
    return Verdict("" if (status, body) == (200, BODY) else f"status {status}", "list")


def target(port: int) -> Target:
    return Target(port, [b"GET / HTTP/1.1\r\n\r\n"], judge, connections=4)


def test_an_open_loop_sees_a_stall_as_those_who_come_meanwhile_do() -> None:
    with serving(stall_at=100) as port:
        load = open_loop(target(port), PER_S, SECONDS)
    assert len(load.answers) == PER_S * SECONDS
    assert not load.faults()
    held_up = [at for at in load.answers if at.done_s - at.due_s > STALL_S / 3]
    assert len(held_up) >= 0.6 * STALL_S * PER_S, "two thirds of those who came in the stall"
    assert load.percentile_ms(0.99) > 900 * STALL_S


def test_a_closed_loop_does_not() -> None:
    with serving(stall_at=100) as port:
        load = closed_loop(target(port), 2 * STALL_S)
    assert max(at.done_s - at.due_s for at in load.answers) >= STALL_S
    assert sum(at.done_s - at.due_s > STALL_S / 3 for at in load.answers) <= 4 + 4


@pytest.mark.parametrize(
    ("answer", "fault"),
    [(b"", "broken"), (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "status 503")],
)
def test_faults_are_counted(answer: bytes, fault: str) -> None:
    with serving(answer=answer) as port:
        load = closed_loop(target(port), 0.05)
    assert load.faults()[fault] == len(load.answers) > 0


def test_figures_of_answers() -> None:
    load = Load([Answer(at, at + at / 1e3, Verdict("")) for at in range(1, 101)], 50.0, 0.9)
    assert [round(load.percentile_ms(share)) for share in (0.01, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert load.per_s == 2
    assert len(load.between(11, 21).answers) == 10
    assert "suspect" in load.words()
