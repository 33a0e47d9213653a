"""Redis URLs: an invalid one is refused at once, everywhere."""

import subprocess
from pathlib import Path

import pytest
from redis import Redis
from redis import asyncio as aio

from nightshelf import AsyncShelf, Shelf
from nightshelf.client.transport.address import parse_address
from nightshelf.client.transport.redis_url import check_url
from tasks.errors import RedisUnavailable
from tasks.publish.redis_client import connect as connect_publisher
from tasks.publish.settings import PublishSettings
from tests.lookup.shelves import SHOP, publish

PASSWORD = "s3cret"
AT = f"redis://joe:{PASSWORD}@127.0.0.1:1/0"
TLS = f"rediss://joe:{PASSWORD}@127.0.0.1:1/0"

#: A URL, and what its error says.
BAD = [
    (f"{AT}?foo=1", "'foo' is no option"),
    (f"{AT}?socket_timout=1", "did you mean socket_timeout"),
    *((f"{AT}?{name}=1", f"'{name}' is no option") for name in (
        "decode_responses", "encoding", "retry", "retry_on_error", "parser_class", "host", "port",
        "connection_class", "credential_provider", "lib_name", "queue_class", "path",
    )),
    *((f"{AT}?socket_timeout={text}", "socket_timeout must be a number of seconds above 0")
      for text in ("abc", "0", "-1", "nan", "inf", "")),
    (f"{AT}?max_connections=0", "max_connections must be a whole number above 0"),
    (f"{AT}?max_connections=1.5", "max_connections must be"),
    (f"{AT}?health_check_interval=x", "health_check_interval must be"),
    (f"{AT}?protocol=4", "protocol must be 2 or 3"),
    (f"{AT}?socket_keepalive=maybe", "socket_keepalive must be true or false"),
    (f"{AT}?client_name=two%20words", "client_name must be a name without spaces"),
    (f"{AT}?db=x", "db must be a database's number"),
    (f"{AT}?db=-1", "db must be"),
    (f"{AT}?ssl_cert_reqs=none", "ssl_cert_reqs needs rediss://"),
    (f"{TLS}?ssl_cert_reqs=never", "ssl_cert_reqs must be none, optional, required"),
    (f"{TLS}?ssl_ca_certs=/no/such/file", "ssl_ca_certs must be a file that is there"),
    (f"{TLS}?ssl_ca_certs={__file__}", "TLS options cannot be met"),
    (f"{TLS}?ssl_ciphers=none-such", "TLS options cannot be met"),
    (f"{TLS}?ssl_min_version=5", "ssl_min_version must be 771"),
    (f"redis://:{PASSWORD}@127.0.0.1:1/shop", "the database's number"),
    (f"redis://:{PASSWORD}@127.0.0.1:1/-1", "the database's number"),
    (f"redis://:{PASSWORD}@127.0.0.1:0/0", "not a Redis URL"),
    (f"redis://:{PASSWORD}@127.0.0.1:99999/0", "not a Redis URL"),
    (f"redis://:{PASSWORD}@[::1/0", "not a Redis URL"),
    (f"http://:{PASSWORD}@127.0.0.1:1/0", "not a Redis URL of http://"),
    (f"redis+sentinel://:{PASSWORD}@127.0.0.1:1", r"redis\+sentinel://.*/name/db"),
    (f"redis+sentinel://:{PASSWORD}@127.0.0.1:1,/shop", r"redis\+sentinel://"),
    (f"redis+sentinel://:{PASSWORD}@127.0.0.1:1/shop/x", "the database's number"),
    (f"redis+cluster://:{PASSWORD}@127.0.0.1:1/1", "a cluster has database 0 alone"),
    (f"redis+cluster://:{PASSWORD}@127.0.0.1:1,127.0.0.1:x", "not a Redis URL"),
    (f"redis+cluster://:{PASSWORD}@127.0.0.1:1?foo=1", "'foo' is no option"),
    (f"unix+cluster://:{PASSWORD}@127.0.0.1:1", "not a Redis URL"),
    (f"127.0.0.1:1/{PASSWORD}", "not a Redis URL"),
    ("", "not a Redis URL"),
    # Passwords that were not percent-encoded, each where another part of a URL would stand.
    *((f"redis://joe:{text}{PASSWORD}@127.0.0.1:1/0", "percent-encoded")
      for text in ("1/", "1?", "1#", "a/", "a?", "a#", "1?x=", "1?db=1&")),
    (f"unix://{PASSWORD}/run/redis.sock", "a socket's path is absolute"),
    ("unix://", "a socket's path is absolute"),
]  # fmt: skip

GOOD = [
    AT,
    "redis://localhost",
    "redis://",
    "redis://127.0.0.1:6379/15",
    "redis://:p%2Fw%40%3F%23@127.0.0.1:6379/0",
    "redis://[::1]:6379/0",
    "redis://127.0.0.1/?db=3",
    f"{AT}?socket_timeout=0.5&socket_connect_timeout=1&timeout=2&max_connections=5",
    f"{AT}?client_name=shop&health_check_interval=30&socket_keepalive=true&protocol=3",
    f"{AT}?retry_on_timeout=true",
    "unix:///run/redis.sock?db=2",
    "redis+cluster://joe:p%2Cw@127.0.0.1:7000,[::1]:7001/0?max_connections=5",
    "rediss+cluster://127.0.0.1:7000?ssl_cert_reqs=none",
    "redis+sentinel://joe:pw@127.0.0.1:26379,localhost/shop/2?client_name=page",
    "rediss+sentinel://127.0.0.1/shop",
    "unix://:pass%20word@/run/redis.sock",
    TLS,
    f"{TLS}?ssl_cert_reqs=none&ssl_check_hostname=false&ssl_min_version=772",
]


@pytest.mark.parametrize(("url", "said"), BAD)
def test_a_url_that_makes_no_client_is_refused_when_it_is_made(url: str, said: str) -> None:
    for make in (Shelf.from_url, AsyncShelf.from_url):
        with pytest.raises(ValueError, match=said) as refused:
            make(url, SHOP)
        assert PASSWORD not in str(refused.value)
    with pytest.raises(RedisUnavailable, match=said) as unavailable:
        connect_publisher(url, PublishSettings())
    assert PASSWORD not in str(unavailable.value)


@pytest.mark.parametrize("url", GOOD)
def test_a_url_that_makes_a_client(url: str) -> None:
    parse_address(url)
    shelf = Shelf.from_url(url, SHOP)
    shelf._client.connection_pool.make_connection()  # redis-py takes all of its options too
    AsyncShelf.from_url(url, SHOP)
    connect_publisher(url, PublishSettings())


def test_a_certificate_authority_of_ones_own_is_read(tmp_path: Path) -> None:
    ca, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {ca} -subj /CN=x"
    subprocess.run(make.split(), check=True, capture_output=True)
    check_url(f"{TLS}?ssl_ca_certs={ca}")
    check_url(f"{TLS}?ssl_ca_certs={ca}&ssl_certfile={ca}&ssl_keyfile={key}")
    with pytest.raises(ValueError, match="TLS options cannot be met"):
        check_url(f"{TLS}?ssl_certfile={ca}&ssl_keyfile={ca}")


def test_options_of_a_url_reach_the_client(redis_url: str, redis_client: Redis) -> None:
    publish(redis_client)
    shelf = Shelf.from_url(f"{redis_url}?client_name=page&socket_timeout=3&protocol=3", SHOP)
    assert shelf.get("ann").source == "list"
    assert "page" in {each["name"] for each in redis_client.client_list()}


def test_a_client_of_the_apps_own_that_cannot_connect_is_refused() -> None:
    for url in ("redis://127.0.0.1:1/0?foo=1", f"{TLS}?ssl_cert_reqs=never"):
        with pytest.raises(ValueError, match="cannot make a connection"):
            Shelf(Redis.from_url(url), SHOP)
        with pytest.raises(ValueError, match="cannot make a connection"):
            AsyncShelf(aio.Redis.from_url(url), SHOP)
