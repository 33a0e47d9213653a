"""Messages for failures of real servers: frozen, a cluster, a replica, no Redis."""

import os
import signal
import socket
from contextlib import closing
from threading import Thread

import pytest
from redis import Redis
from redis.exceptions import AskError, MovedError, RedisError

from nightshelf import Shelf
from nightshelf.admin.generations import allot
from nightshelf.client.core.failures import failure
from nightshelf.client.transport.connection import connect
from nightshelf.contract.keys import Keys
from nightshelf.doctor.examine import examine
from tests.conftest import process_id
from tests.lookup.shelves import SHOP, publish
from tests.lookup.terminal import LISTS, run


def test_a_frozen_server_is_not_one_to_start(
    own_redis_url: str, own_redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(own_redis_client)
    monkeypatch.setattr("nightshelf.cli.context.TIMEOUT_S", 0.2)
    os.kill(process_id(own_redis_url), signal.SIGSTOP)
    said = [run(own_redis_url, *args) for args in (*LISTS, ["status"], ["generations"])]
    for result in said:
        assert result.exit_code == 1
        assert "it accepts connections but does not answer within 200 ms: see" in result.stderr
    with closing(connect(own_redis_url, timeout_s=0.2)) as client:
        found = examine(client, SHOP, 86_400)["connection"]
        assert "accepts connections" in found.found
        assert "start" not in found.remedy.lower()
        status = Shelf(client, SHOP).status()
    assert not status.reachable
    assert "does not answer within 200 ms" in str(status.error)


def test_a_cluster_says_that_it_is_one(cluster_url: str) -> None:
    for args in (*LISTS, ["status"], ["generations"]):
        result = run(cluster_url, *args)
        assert result.exit_code == 1
        assert "it is a Redis Cluster" in result.stderr
        assert "redis+cluster://" in result.stderr
    with closing(connect(cluster_url)) as client:
        assert Shelf(client, SHOP).get("ann").source == "none"
        with pytest.raises(RedisError) as refused:
            client.get(Keys(SHOP).current)
    assert "it is a Redis Cluster" in str(failure(refused.value))
    for error in (MovedError("123 10.0.0.7:7000"), AskError("123 10.0.0.7:7000")):
        assert str(failure(error)) == str(failure(refused.value))


def test_a_replica_takes_no_writes(own_redis_client: Redis) -> None:
    own_redis_client.replicaof("127.0.0.1", 1)
    with pytest.raises(RedisError) as refused:
        allot(own_redis_client, SHOP)
    assert str(failure(refused.value)) == "it is a replica, and takes no writes: use its primary"


def test_what_answers_is_not_redis() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=answer_as_http, args=(listener,), daemon=True).start()
        result = run(f"redis://127.0.0.1:{listener.getsockname()[1]}/0", "status")
    assert result.exit_code == 1
    assert "what answers there is not Redis" in result.stderr


def test_a_name_that_is_none_and_a_path_without_a_socket() -> None:
    nowhere = run("redis://no-such-host.invalid:6379/0", "status")
    assert (nowhere.exit_code, "no-such-host.invalid" in nowhere.stderr) == (1, True)
    absent = run("unix:///no/such/socket", "status")
    assert (absent.exit_code, "start Redis there" in absent.stderr) == (1, True)


def answer_as_http(listener: socket.socket) -> None:
    while True:
        try:
            asked, _ = listener.accept()
        except OSError:
            return
        with asked:
            asked.recv(1_000)
            asked.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
