"""Limits of one caller: size and rate of requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from nightshelf.service import ServiceSettings, create_app
from nightshelf.service.rate_limit import RateLimit
from tests.lookup.service.calling import Caller, calling
from tests.lookup.service.test_auth import READ, bearer, key

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(redis_url: str) -> Iterator[Caller]:
    settings = ServiceSettings(
        redis_url=SecretStr(redis_url),
        deadline_s=5,
        max_body_bytes=100,
        max_per_s=1,
        keys={"web": key(READ, "read")},
    )
    with calling(settings) as caller:
        yield caller


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every rate live in one and the same second."""
    monkeypatch.setattr(RateLimit.__init__, "__defaults__", (lambda: 7.0,))


calls = st.lists(st.tuples(st.floats(0, 3), st.sampled_from("abc")), max_size=60)


@given(calls, st.integers(1, 4))
def test_of_each_caller_s_requests_in_a_second_the_first_so_many(
    asked: list[tuple[float, str]], per_s: int
) -> None:
    asked.sort(key=lambda call: call[0])
    now = 0.0
    rate = RateLimit(per_s, lambda: now)
    for at, (now, caller) in enumerate(asked):
        before = [(int(s), who) for s, who in asked[:at]].count((int(now), caller))
        assert rate.admits(caller) == (before < per_s)


@pytest.mark.usefixtures("still")
def test_too_many_are_told_when_to_come_back_and_probes_pass(client: Caller) -> None:
    statuses = [client.get("/nope").status_code for _ in range(2)]
    assert statuses == [404, 429]
    answer = client.get("/nope")
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["title"] == "Too Many Requests"
    assert client.get("/health/live").status_code == 200
    # A key has its own limit; keys that are made up share their address'.
    assert client.get("/popular/all", headers=bearer(READ)).status_code == 200
    assert client.get("/popular/all", headers=bearer(READ)).status_code == 429
    assert client.get("/popular/all", headers=bearer("made up")).status_code == 429


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("address", [("127.0.0.1", 80), ["127.0.0.1", 80], None])
def test_an_address_is_whatever_the_server_makes_of_it(
    dead_url: str, address: Sequence[object] | None
) -> None:
    app = create_app(ServiceSettings(redis_url=SecretStr(dead_url), max_per_s=1))
    transport = httpx.ASGITransport(app, client=cast("tuple[str, int]", address))

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return [(await client.get("/nope")).status_code for _ in range(2)]

    assert asyncio.run(ask()) == [404, 429]


def test_a_body_that_is_too_long_by_its_header_or_as_it_comes(redis_url: str) -> None:
    settings = ServiceSettings(redis_url=SecretStr(redis_url), deadline_s=5, max_body_bytes=100)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 40

    with calling(settings) as client:
        fits = client.post("/recommendations", content=b" " * 100, headers=JSON)
        assert fits.status_code == 422
        for content in (b" " * 101, pieces()):
            answer = client.post("/recommendations", content=content, headers=JSON)
            assert (answer.status_code, answer.json()["status"]) == (413, 413)
            assert answer.headers["content-type"] == "application/problem+json"
