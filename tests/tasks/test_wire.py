"""Several connections at once: what a server's answers, and silences, turn into."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket
from subprocess import DEVNULL, Popen
from threading import Thread

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import NoPermissionError, OutOfMemoryError, RedisError
from redis.exceptions import TimeoutError as TooSlow
from redis.retry import Retry

from nightshelf.contract import Keys
from tasks.encode import Digest, Entries
from tasks.publish import PublishSettings, connect, read_back, stage
from tasks.replies import Gone
from tasks.run import Run
from tasks.texts import Texts
from tasks.wire import wire
from tests.tasks.models import AS_OF, make_shelves

PREFIX = Keys("shop").prefix(1)
OK = b"+OK\r\n"
TTL_S = 100


def keys(n: int) -> Texts:
    return Texts.of([b"k%03d" % at for at in range(n)])


def entries(n: int, family: str = "list") -> Entries:
    return Entries(family, keys(n), Texts.of([b"secret%03d" % at for at in range(n)]))


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
                    while b"SET\r\n$4" not in (said := near.recv(65_536)):
                        near.sendall(OK * said.count(b"SETINFO"))
                    near.sendall(answer)

        server = Thread(target=serve)
        server.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0?protocol=2"
        server.join()


def write_to(answers: list[bytes], n: int, family: str = "list") -> None:
    with answering(answers) as url, closing(Redis.from_url(url, socket_timeout=2)) as client:
        client.set_retry(Retry(NoBackoff(), len(answers) - 1))
        with wire(client, 1) as redis:
            redis.write([entries(n, family)], TTL_S)


def test_every_reply_is_awaited() -> None:
    write_to([OK * 3], 3)
    with pytest.raises(Unreachable):
        write_to([OK * 2], 3)


def test_what_a_cut_connection_lost_is_sent_again() -> None:
    write_to([OK * 2, b"", OK * 3], 3)
    write_to([OK * 2 + b"+O", OK * 3], 3)


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
        write_to([replies], 3, "similar")
    assert "secret" not in str(raised.value)


def test_the_family_is_that_of_the_key() -> None:
    with (
        answering([OK * 3 + b"-OOM command not allowed\r\n" + OK]) as url,
        closing(Redis.from_url(url, socket_timeout=2)) as client,
        wire(client, 1) as redis,
        pytest.raises(OutOfMemoryError, match="family 'user'"),
    ):
        redis.write([entries(3, "list"), entries(2, "user")], TTL_S)


def test_what_a_server_says_unasked_is_no_reply() -> None:
    """RESP3's pushes (a server may, for maintenance) come between the replies."""
    write_to([OK + b">2\r\n+server\r\n+moves\r\n" + OK * 2], 3)


def test_a_connection_goes_on_after_an_error(own_redis_client: Redis) -> None:
    with wire(own_redis_client, 2) as redis:
        own_redis_client.config_set("maxmemory", 1)
        with pytest.raises(OutOfMemoryError):
            redis.write([entries(100)], TTL_S)
        own_redis_client.config_set("maxmemory", 0)
        redis.write([entries(100)], TTL_S)
        assert own_redis_client.dbsize() == 100
        assert list(redis.values_of(keys(100))) == list(entries(100).values)


def test_more_keys_than_one_mget_asks_for(redis_client: Redis) -> None:
    wanted = entries(1_234)
    with wire(redis_client, 1) as redis:
        redis.write([wanted], TTL_S)
        for n in (0, 1, 500, 501, 1_234):
            assert list(redis.values_of(keys(n))) == list(wanted.values)[:n]
        redis_client.delete("k777")
        with pytest.raises(Gone, match="k777"):
            redis.values_of(keys(1_234))


def test_more_threads_than_connections(redis_client: Redis) -> None:
    with wire(redis_client, 2) as redis, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: redis.write([entries(n)], TTL_S), range(1, 40)))
        found = pool.map(lambda n: list(redis.values_of(keys(n))), range(40))
        assert list(found) == [list(entries(n).values) for n in range(40)]


def test_a_silent_server_is_given_up_in_time() -> None:
    with socket(AF_INET, SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0?protocol=2"
        with closing(Redis.from_url(url, socket_timeout=0.1)) as client:
            client.set_retry(Retry(NoBackoff(), 1))
            started = time.monotonic()
            with pytest.raises(TooSlow), wire(client, 2) as redis:
                redis.write([entries(4)], TTL_S)
            assert time.monotonic() - started < 5


@pytest.mark.parametrize("n_connections", [1, 2, 5])
def test_any_number_of_connections(redis_client: Redis, tmp_path: Path, n_connections: int) -> None:
    run = Run("shop", 1, AS_OF, tmp_path)
    shelves = make_shelves(run)
    settings = replace(PublishSettings(max_batch_keys=7), n_connections=n_connections)
    staged = stage(run, redis_client, shelves, settings, 10, "")
    assert read_back(run, redis_client, shelves, staged, settings).n_keys == 82
    digest = Digest(PREFIX)
    for entry in (entry for family in shelves for entry in family.entries()):
        digest.add(entry.key, entry.value)
        assert redis_client.get(entry.key) == entry.value
    assert staged.digest == digest.hexdigest()


def test_a_unix_socket_and_a_login(tmp_path: Path) -> None:
    if (binary := shutil.which("redis-server")) is None:
        pytest.skip("redis-server is not installed, so no Unix socket and no login was tried")
    options = ["--port", "0", "--unixsocket", str(tmp_path / "s"), "--save", "", "--requirepass"]
    with Popen([binary, *options, "pass word"], stdout=DEVNULL) as server:
        settings = PublishSettings()
        with closing(connect(f"unix://:pass%20word@{tmp_path / 's'}", settings)) as client:
            client.set_retry(Retry(ConstantBackoff(0.05), 200))  # until it is up
            run = Run("shop", 1, AS_OF, tmp_path)
            shelves = make_shelves(run)
            try:
                read_back(
                    run, client, shelves, stage(run, client, shelves, settings, 10, ""), settings
                )
            finally:
                server.kill()
