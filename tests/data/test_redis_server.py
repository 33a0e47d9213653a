"""The demo's server: started once, found again, stopped for good."""

import socket
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis, RedisError

from data import redis_server


def test_it_is_found_again_and_stops(tmp_path: Path) -> None:
    url = redis_server.start(tmp_path)
    try:
        with closing(Redis.from_url(url)) as client:
            client.set("kept", "yes")
            assert redis_server.start(tmp_path) == url, "the running one is found"
            assert client.get("kept") == b"yes"
    finally:
        assert redis_server.stop(tmp_path)
    with closing(Redis.from_url(url)) as client, pytest.raises(RedisError):
        client.ping()
    assert not redis_server.stop(tmp_path), "nothing is left to stop"


def test_a_url_of_the_demos_own_that_was_stopped(dead_url: str) -> None:
    assert not redis_server.is_stopped(dead_url), "another server's, which is not ours to start"
    assert not redis_server.is_stopped("")
    with closing(socket.socket()) as probe:
        free = probe.connect_ex(("127.0.0.1", 6390)) != 0
    assert redis_server.is_stopped("redis://127.0.0.1:6390/0") == free
