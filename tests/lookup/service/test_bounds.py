"""Bounds on connections and requests, held while other callers are answered."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.lookup.service.serving import PATIENCE_S, Server, serving
from tests.lookup.shelves import publish

#: Shorter than the default, so that tests are.
RECEIVE_S = 1.5
#: One more than this may be open at a time.
MAX_CONNECTIONS = 520
HEAD = b"GET /recommendations/ann HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Redis.from_url(redis_url) as client:
        client.flushall()
        publish(client, 1)
    bounds = {"receive_s": str(RECEIVE_S), "max_connections": str(MAX_CONNECTIONS)}
    log: Path = tmp_path_factory.mktemp("bounds") / "log"
    with serving(redis_url, log, deadline_s="5", max_per_s="1000000", **bounds) as server:
        server.wait_ready()
        yield server


def answered_in_s(server: Server) -> float:
    """Return how long another caller waited for a list."""
    began = time.monotonic()
    answer = httpx.get(f"{server.url}/recommendations/ann", timeout=PATIENCE_S)
    assert (answer.status_code, answer.json()["source"]) == (200, "list")
    return time.monotonic() - began


def all_of(connection: socket.socket) -> bytes:
    """Return what is sent until the connection is closed, or broken off."""
    came = b""
    try:
        while some := connection.recv(65536):
            came += some
    except ConnectionResetError:
        pass
    return came


def stream(connection: socket.socket, start: bytes, more: bytes, n_bytes: int) -> int:
    """Send `more` over and over until there are so many bytes or the peer has closed."""
    sent = 0
    try:
        connection.sendall(start)
        while sent < n_bytes:
            connection.sendall(more)
            sent += len(more)
    except (ConnectionResetError, BrokenPipeError):
        pass
    return sent


def test_slow_heads_on_500_connections(server: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(server.connect())) for _ in range(500)]
        began = time.monotonic()
        for connection in slow:
            connection.sendall(HEAD[:20])
        while time.monotonic() - began < RECEIVE_S:
            assert answered_in_s(server) < 1
            for connection in slow[::50]:  # a byte now and then gains no time
                stream(connection, b"", b"x", 1)
        for connection in slow:
            assert all_of(connection).startswith((b"HTTP/1.1 408 ", b""))
        assert time.monotonic() - began < RECEIVE_S + 5
    assert answered_in_s(server) < 1


def test_a_slow_request_is_told_why(server: Server) -> None:
    for begun in (HEAD, POST + b"Content-Length: 9\r\n\r\n{"):
        with closing(server.connect()) as connection:
            connection.sendall(begun)
            head, _, body = all_of(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert json.loads(body)["status"] == 408


def test_connections_without_a_request_are_closed(server: Server) -> None:
    with closing(server.connect()) as silent, closing(server.connect()) as blank:
        blank.sendall(b"\r\n\r\n")
        assert all_of(silent) == all_of(blank) == b""


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (HEAD + b"X-Long: ", b"x" * 65536),
        (HEAD, b"x" * 65536),
        (HEAD, b"x: y\r\n" * 10_000),
        (b"GET /", b"x" * 65536),
        (b"", b"\r\n" * 32768),
        (CHUNKED + b"1;", b"x" * 65536),
        (CHUNKED + b"1\r\n{\r\n0\r\nX-Trailer: ", b"x" * 65536),
        (CHUNKED + b"1\r\n{\r\n0\r\n", b"x: y\r\n" * 10_000),
    ],
    ids=["header", "name", "headers", "path", "blank", "extension", "trailer", "trailers"],
)
def test_what_never_ends_is_refused_before_it_fills_memory(
    server: Server, start: bytes, more: bytes
) -> None:
    before = server.rss_bytes()
    with closing(server.connect()) as connection:
        assert stream(connection, start, more, 50_000_000) < 10_000_000
        answered_in_s(server)
    assert server.rss_bytes() - before < 10_000_000


@pytest.mark.parametrize("pipelined", [True, False])
def test_the_longest_head_that_passes(server: Server, pipelined: bool) -> None:
    fits = b"GET /health/live HTTP/1.1\r\nX-Long: " + b"x" * 16_000 + b"\r\n\r\n"
    longer = fits.replace(b"\r\n\r\n", b"x" * 500 + b"\r\n\r\n")
    with closing(server.connect()) as connection:
        connection.sendall(fits + longer if pipelined else longer)
        came = all_of(connection)
    if pipelined:  # the answer to the first is the last one
        assert came.startswith(b"HTTP/1.1 200 ")
        assert came.count(b"HTTP/1.1") == 1
    else:
        head, _, body = came.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 ")
        assert json.loads(body)["title"] == "Request Header Fields Too Large"


def test_a_body_without_end_after_the_answer(server: Server) -> None:
    start = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    with closing(server.connect()) as connection:
        assert (
            stream(connection, start, b"8000\r\n" + b"x" * 32768 + b"\r\n", 50_000_000) < 10_000_000
        )


def test_who_does_not_read_is_let_go(server: Server) -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_S)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(request * 500)
        until = time.monotonic() + PATIENCE_S
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while time.monotonic() < until:
                time.sleep(0.1)
                connection.send(b"\r\n")
    assert answered_in_s(server) < 1


def test_the_one_that_has_waited_longest_makes_room(server: Server) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(closing(server.connect())) for _ in range(MAX_CONNECTIONS)]
        assert answered_in_s(server) < 1
        idle[0].settimeout(RECEIVE_S / 2)
        assert all_of(idle[0]) == b""
    assert 'why="full"' in httpx.get(f"{server.url}/metrics").text


@pytest.mark.parametrize("trusted", ["[]", '["127.0.0.0/8"]'])
def test_a_forwarded_address_counts_from_a_trusted_proxy_alone(
    redis_url: str, tmp_path: Path, trusted: str
) -> None:
    with serving(redis_url, tmp_path / "log", max_per_s="20", trusted_proxies=trusted) as server:
        server.wait_ready()
        with httpx.Client(base_url=server.url) as client:
            began = time.monotonic()
            passed = dict.fromkeys(("made up", "appended"), 0)
            for number in range(200):
                address = f"198.51.100.{number}"
                # What a proxy appends is the last one; before it stands what callers make up.
                for name, forwarded in (
                    ("made up", f"{address}, 203.0.113.7"),
                    ("appended", f"203.0.113.7, {address}"),
                ):
                    answer = client.get("/nope", headers={"X-Forwarded-For": forwarded})
                    passed[name] += answer.status_code == 404
            seconds = int(time.monotonic() - began) + 2
    assert passed["made up"] <= 20 * seconds < 200
    assert (passed["appended"] == 200) == (trusted != "[]")
