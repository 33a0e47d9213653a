"""Address of Redis as a URL gives it: one server, a cluster, or a primary that Sentinel names."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from nightshelf.client.transport.redis_url import check_url
from nightshelf.client.transport.slots import Node

Kind = Literal["server", "cluster", "sentinel"]
_BEYOND = {
    "cluster": "redis+cluster://[user:password@]host:port,host:port",
    "sentinel": "redis+sentinel://[user:password@]host:port,host:port/name/db",
}


@dataclass(frozen=True)
class Address:
    """A checked address; `urls` is a plain Redis URL for each host that it names.

    `service` is the name under which Sentinel knows the primary.
    """

    kind: Kind
    urls: tuple[str, ...]
    service: str = ""

    @property
    def is_tls(self) -> bool:
        """True for rediss://, rediss+cluster:// and rediss+sentinel://."""
        return self.urls[0].startswith("rediss:")

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Host and port of each host that it names."""
        default = 26379 if self.kind == "sentinel" else 6379
        parts = map(urlsplit, self.urls)
        return tuple((each.hostname or "localhost", each.port or default) for each in parts)

    def at(self, node: Node) -> str:
        """Return the URL of another node with the same login and options."""
        parts = urlsplit(self.urls[0])
        login, at, _ = parts.netloc.rpartition("@")
        host = f"[{node[0]}]" if ":" in node[0] else node[0]
        return parts._replace(netloc=f"{login}{at}{host}:{node[1]}").geturl()


def parse_address(url: str) -> Address:
    """Parse and check an address without connecting; `ValueError` for an invalid one.

    >>> parse_address("redis+cluster://:pw@a:7000,b:7000").urls
    ('redis://:pw@a:7000/0', 'redis://:pw@b:7000/0')
    >>> parse_address("redis+sentinel://a:26379/shop/1")
    Address(kind='sentinel', urls=('redis://a:26379/1',), service='shop')
    """
    scheme = url.partition("://")[0]
    base, _, beyond = scheme.partition("+")
    if base not in ("redis", "rediss") or beyond not in ("cluster", "sentinel"):
        check_url(url)
        return Address("server", (url,))
    kind: Kind = "cluster" if beyond == "cluster" else "sentinel"
    expected = ValueError(f"not a Redis URL: expected {_BEYOND[kind]}, password percent-encoded")
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # its text can hold part of a password
        raise expected from None
    login, at, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/") if kind == "sentinel" else ("", "", "")
    path = db or ("0" if kind == "sentinel" else parts.path.strip("/") or "0")
    if parts.fragment or not all(hosts.split(",")) or (kind == "sentinel") != bool(service):
        raise expected
    if kind == "cluster" and path != "0":
        raise ValueError("not a Redis URL: a cluster has database 0 alone")
    query = f"?{parts.query}" if parts.query else ""
    urls = tuple(f"{base}://{login}{at}{host}/{path}{query}" for host in hosts.split(","))
    for each in urls:
        check_url(each)
    return Address(kind, urls, service)
