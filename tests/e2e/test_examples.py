"""The code in `examples/`, run against a real server and compared with `Shelf.get`."""

import asyncio
import json
import shutil
import subprocess
from contextlib import AsyncExitStack
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import django
import httpx
import pytest
from django.test import Client
from redis import Redis

from nightshelf import Result, Shelf
from nightshelf.admin.blocklist import block
from nightshelf.admin.canary import release
from nightshelf.contract.keys import Keys
from tests.conftest import ROOT
from tests.lookup.experiments import LINKS, NOW, OUT, experimenting, user_of
from tests.lookup.shelves import SHOP, UNKEPT, ids, publish, ranked, staged

EXAMPLES = ROOT / "examples"
KEYS = Keys(SHOP)
#: A list of one's own, one that is masked whole, segments with and without a list, favourites,
#: and a stranger whose id must be encoded.
USERS = ("ann", "all", "bob", "cid", "fay", "eve!/ü")


@pytest.fixture
def shop(redis_client: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A generation with masks of each kind, and a shelf that keeps nothing of it."""
    live = publish(redis_client).generation
    a, b, c = (f"{letter}{live}" for letter in "ABC")
    row = json.dumps({"favorite_categories": ["Lamps", "None", "Toys"], "segment": "gold"})
    redis_client.set(KEYS.user(live, "fay"), row)
    redis_client.set(KEYS.popular(live, "category:Lamps"), ranked(c, a).to_json())
    redis_client.set(KEYS.popular(live, "category:Toys"), ranked(b, c, a, "D").to_json())
    redis_client.set(KEYS.list(live, "als", "all"), ranked(a).to_json())
    redis_client.zadd(KEYS.masked("all"), {a: 1.0})
    redis_client.zadd(KEYS.masked("eve!/ü"), {b: 1.0})
    redis_client.sadd(KEYS.unavailable, "D")
    monkeypatch.setenv("REDIS_URL", f"{redis_url}?socket_timeout=5")  # on a busy machine too
    return Shelf(redis_client, SHOP, settings=UNKEPT)


def run(tool: str, *arguments: str) -> str:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed, so this example was not run")
    command = [tool, *arguments]
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def by_node(user: str, n: int) -> list[dict[str, Any]]:
    page: list[dict[str, Any]] = json.loads(run("node", "read.mjs", user, str(n)))
    return page


def as_node(result: Result) -> list[dict[str, Any]]:
    return [
        {"item_id": item.item_id, "score": item.score, "reason": list(item.reason)}
        for item in result.items
    ]


def test_node_reads_what_a_shelf_does(shop: Shelf, redis_client: Redis) -> None:
    sources = set()
    for user in USERS:
        result = shop.get(user, 2)
        sources.add(result.source)
        assert by_node(user, 2) == as_node(result)
    assert sources == {"list", "popular:favorites", "popular:segment:gold", "popular:all"}
    block(redis_client, SHOP, [shop.get("ann").items[2].item_id])  # her list names it as a reason
    shop = Shelf(redis_client, SHOP)  # the other may hold what is blocked for a second
    for user in ("ann", "fay"):
        assert by_node(user, 10) == as_node(shop.get(user, 10))
    assert by_node("ann", 1)[0]["reason"] == ["taste"]


def test_node_serves_a_canary_to_the_same_users(shop: Shelf, redis_client: Redis) -> None:
    out = staged(redis_client)
    release(redis_client, SHOP, out, 50)
    generations = set()
    for user in ("ann", "bob", "u1", "u2"):
        result = shop.get(user, 10)
        generations.add(result.generation)
        assert by_node(user, 10) == as_node(result)
    assert generations == {out - 1, out}


def test_node_and_shell_read_the_variants_model(redis_client: Redis, shop: Shelf) -> None:
    redis_client.flushdb()
    experimenting(redis_client)
    gone = user_of("links", start=1_000)
    redis_client.set(KEYS.list(1, "als", gone), ranked("als-0", "als-1").to_json())
    shop = Shelf(redis_client, SHOP)
    for user, model in ((NOW, "als"), (LINKS, "ease"), (OUT, "als"), (gone, "als")):
        result = shop.get(user, 2)
        assert result.model == model
        assert by_node(user, 2) == as_node(result)
        if shutil.which("redis-cli") and shutil.which("jq"):
            assert tuple(run("sh", "read.sh", user, "2").splitlines()) == ids(result)


def test_node_reads_nothing_where_nothing_is_live(shop: Shelf, redis_client: Redis) -> None:
    redis_client.flushdb()
    assert by_node("ann", 10) == as_node(shop.get("ann")) == []


def test_redis_cli_reads_what_a_shelf_does(shop: Shelf) -> None:
    if not (shutil.which("redis-cli") and shutil.which("jq")):
        pytest.skip("redis-cli or jq is not installed, so this example was not run")
    for user in ("ann", "all", "cid", "eve!/ü"):
        printed = run("sh", "read.sh", user, "2").splitlines()
        assert tuple(printed) == ids(shop.get(user, 2))


def test_flask(shop: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    sell(shop, import_module("flask_app").create_app().test_client())


def test_fastapi(shop: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    app = import_module("fastapi_app").create_app()
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop")
    open_now = AsyncExitStack()
    with asyncio.Runner() as runner:
        runner.run(open_now.enter_async_context(app.router.lifespan_context(app)))
        runner.run(open_now.enter_async_context(client))
        called = SimpleNamespace(
            get=lambda path: runner.run(client.get(path)),
            post=lambda path: runner.run(client.post(path)),
        )
        sell(shop, called)
        runner.run(open_now.aclose())


def test_django(shop: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    import_module("django_app")
    django.setup()
    sell(shop, Client(SERVER_NAME="127.0.0.1"))


def sell(shop: Shelf, client: Any) -> None:
    """Look at Ann's page, buy its first item, and see that it is gone."""
    first, *rest = ids(shop.get("ann"))
    assert page(client) == {"source": "list", "items": [first, *rest]}
    assert client.post(f"/bought/ann/{first}").status_code == 204
    assert page(client) == {"source": "list", "items": rest}
    assert ids(shop.get("ann")) == tuple(rest)


def page(client: Any) -> Any:
    answer = client.get("/home/ann")
    assert answer.status_code == 200
    return json.loads(answer.text)
