"""Refusals and faults as pages for people, without a browser."""

import re
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import urljoin

import pytest
from pydantic import SecretStr
from redis import Redis

from nightshelf.contract.keys import Keys
from nightshelf.service import ServiceSettings
from nightshelf.service.console import mount
from nightshelf.service.console.routes import overview
from nightshelf.service.settings import ApiKey
from tests.lookup.service.calling import Caller, calling
from tests.lookup.shelves import SHOP, publish


def settings(url: str) -> ServiceSettings:
    return ServiceSettings(redis_url=SecretStr(url), namespace=SHOP, console=True)


@pytest.fixture
def caller(redis_url: str, redis_client: Redis) -> Iterator[Caller]:
    with calling(settings(redis_url)) as each:
        yield each


def test_nothing_is_live(caller: Caller) -> None:
    page = caller.get("/console/")
    assert page.status_code == 200
    assert "Nothing is live: readers get no lists." in page.text
    assert "No watch has run yet" in page.text
    for path in ("generations", "audit", "diff"):
        assert caller.get(f"/console/{path}").status_code == 200


def test_a_redis_that_is_gone(dead_url: str) -> None:
    with calling(settings(dead_url)) as caller:
        page = caller.get("/console/generations")
        assert page.status_code == 503
        assert "Redis cannot be used" in page.text and "<nav" in page.text
        assert caller.get("/console/login").status_code == 200


def test_a_fault_is_a_page_too(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("secret of a person")

    monkeypatch.setattr(overview, "traffic", fails)
    page = caller.get("/console/", headers={"X-Request-ID": "r-17"})
    assert page.status_code == 500
    assert "A fault of the service" in page.text and "<h1>" in page.text
    assert "secret" not in page.text
    assert page.headers["x-request-id"] == "r-17"


def test_a_value_that_is_not_of_the_contract(caller: Caller, redis_client: Redis) -> None:
    redis_client.set(Keys(SHOP).current, "<b>nonsense</b>")
    page = caller.get("/console/")
    assert page.status_code == 422
    assert "not a manifest" in page.text and "<b>nonsense" not in page.text


def test_the_cookie_is_secure_under_https(caller: Caller) -> None:
    cookies = [
        caller.get(f"{scheme}://service/console/login").headers["set-cookie"]
        for scheme in ("https", "http")
    ]
    assert ["Secure" in each for each in cookies] == [True, False]
    kept = caller.get("/console/login", headers={"Cookie": cookies[1].partition(";")[0]})
    assert "set-cookie" not in kept.headers, "a session that holds is not renewed"


@pytest.mark.parametrize("asked", ["//evil.example", "https://evil.example", "\\\\evil.example"])
def test_a_login_leads_nowhere_else(redis_url: str, asked: str) -> None:
    key = ApiKey(sha256=sha256(b"k").hexdigest(), scopes=frozenset({"read"}))
    with calling(settings(redis_url).model_copy(update={"keys": {"rita": key}})) as caller:
        page = caller.get("/console/login", params={"next": asked})
        token = re.findall(r'name="csrf" value="(\w+)"', page.text)[0]
        form = {"csrf": token, "key": "k", "next": asked}
        cookie = {"Cookie": page.headers["set-cookie"].partition(";")[0]}
        answer = caller.post("/console/login", data=form, headers=cookie)
        assert answer.status_code == 303
        target = urljoin("http://service/console/login", answer.headers["location"])
        assert target.startswith("http://service/console/")


def test_a_session_ends_with_its_key(redis_url: str, redis_client: Redis) -> None:
    def keys(name: str, key: bytes) -> dict[str, ApiKey]:
        return {name: ApiKey(sha256=sha256(key).hexdigest(), scopes=frozenset({"read"}))}

    kept = settings(redis_url).model_copy(update={"console_secret": SecretStr("s" * 32)})
    first = kept.model_copy(update={"keys": keys("rita", b"k")})
    with calling(first) as caller:
        page = caller.get("/console/login")
        token = re.findall(r'name="csrf" value="(\w+)"', page.text)[0]
        answer = caller.post("/console/login", data={"csrf": token, "key": "k"})
        cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    for held, status in (
        (first, 200),  # another process of the same settings
        (kept.model_copy(update={"keys": keys("rita", b"new")}), 303),
        (kept.model_copy(update={"keys": keys("rosa", b"k")}), 303),
        (first.model_copy(update={"console_secret": SecretStr("t" * 32)}), 303),
    ):
        with calling(held) as caller:
            assert caller.get("/console/", headers=cookie).status_code == status


def test_one_generation_s_advice(caller: Caller, redis_client: Redis) -> None:
    publish(redis_client, 1, gates={"coverage": "warn"})
    publish(redis_client, 2, metrics={"choice_ndcg_at_10": 0.1})
    text = caller.get("/console/").text
    assert "Keys of generation 2 may expire in" in text, "its TTL is an hour"
    assert "act?action=extend&amp;generation=2" in text


def test_navigation_has_the_pages_that_there_are(caller: Caller) -> None:
    text = caller.get("/console/").text
    for router in mount.ROUTERS:
        assert router.routes
    for name in ("Overview", "Generations", "Users and items", "Catalogue", "Doctor"):
        assert f">{name}</a>" in text


@pytest.mark.parametrize("path", ["generations", "nothing/here/at/all"])
def test_links_lead_back_from_any_depth(caller: Caller, path: str) -> None:
    text = caller.get(f"/console/{path}").text
    depth = path.count("/")
    assert f'href="{"../" * depth or "./"}generations"' in text
