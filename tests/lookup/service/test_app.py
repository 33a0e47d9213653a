"""The app as a whole: its document, health, request ids, the log, browsers' rules, settings."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis

from nightshelf.client.async_shelf import AsyncShelf
from nightshelf.contract.keys import Keys
from nightshelf.service import ServiceSettings, create_app
from tests.lookup.service.calling import Caller, calling
from tests.lookup.shelves import SHOP, publish


def settings(url: str, **more: Any) -> ServiceSettings:
    return ServiceSettings(redis_url=SecretStr(url), namespace=SHOP, **{"deadline_s": 5, **more})


@pytest.fixture
def client(redis_url: str, redis_client: Redis) -> Iterator[Caller]:
    publish(redis_client, 1)
    with calling(settings(redis_url)) as caller:
        yield caller


def test_the_document_refers_to_what_it_has_and_tells_of_errors(dead_url: str) -> None:
    document = create_app(settings(dead_url)).openapi()
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= schemas.keys()
    assert schemas["Problem"]["examples"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            statuses = operation["responses"].keys()
            assert "413" in statuses, path
            if path.startswith("/health/"):
                assert "security" not in operation
            else:
                assert {"401", "403", "429"} <= statuses, path
                assert operation["security"], path


def test_the_document_tells_that_figures_are_text(dead_url: str) -> None:
    answer = create_app(settings(dead_url)).openapi()["paths"]["/metrics"]["get"]["responses"][
        "200"
    ]
    assert answer["content"].keys() == {"text/plain"}


def test_every_get_tells_its_parameters(dead_url: str) -> None:
    document = create_app(settings(dead_url)).openapi()
    found = {
        path: {each["name"]: (each["in"], each["required"]) for each in get["parameters"]}
        for path, methods in document["paths"].items()
        if (get := methods.get("get")) and "parameters" in get
    }
    assert found["/recommendations/{user_id}"] == {
        "user_id": ("path", True),
        "n": ("query", False),
        "model_name": ("query", False),
        "cursor": ("query", False),
        "metadata": ("query", False),
        "forced": ("query", False),
    }
    assert found["/users/{user_id}/features"] == {"user_id": ("path", True)}


def test_ready_once_a_generation_is_live_and_while_its_lists_are_held(
    own_redis_url: str, own_redis_client: Redis
) -> None:
    with calling(settings(own_redis_url, max_per_s=1_000_000)) as client:
        assert client.get("/health/live").json() == {"status": "live"}
        waiting = client.get("/health/ready")
        assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "1")
        publish(own_redis_client, 1)
        assert comes(client, "/health/ready", 200, "status", "ready")
        assert comes(client, "/popular/all", 200, "source", "popular:all")
        own_redis_client.delete(Keys(SHOP).current)
        assert comes(client, "/popular/all", 200, "source", "last-good")
        assert client.get("/health/ready").json() == {"status": "ready"}


def comes(client: Caller, path: str, status: int, name: str, value: str) -> bool:
    """Ask until it is so: what is live is looked up once a second."""
    answers = (client.get(path) for _ in range(10_000))
    return any(answer.status_code == status and answer.json()[name] == value for answer in answers)


def test_not_ready_without_redis_within_its_deadline(dead_url: str) -> None:
    with calling(settings(dead_url)) as client:
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200


def test_a_request_has_its_own_id_or_a_new_one(client: Caller) -> None:
    given = client.get("/health/live", headers={"X-Request-ID": "page-7"})
    assert given.headers["x-request-id"] == "page-7"
    bad = client.get("/nope", headers={"X-Request-ID": "a b"}).json()["request_id"]
    first, second = (client.get("/health/live").headers["x-request-id"] for _ in range(2))
    assert len({bad, first, second, "a b"}) == 4


def test_the_log_has_a_line_a_request_and_nothing_of_whom_it_was_about(
    redis_url: str, redis_client: Redis, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    publish(redis_client, 1)
    with calling(settings(redis_url)) as client:
        client.get("/recommendations/ann?cursor=zz", headers={"X-Request-ID": "r1"})
        client.get("/users/ann/features")
        client.post("/recommendations", json={"user_id": "ann", "n": 0})
        client.get("/ann")
    out = capfdbinary.readouterr().out
    lines = [json.loads(line) for line in out.splitlines()]
    found = [(line["method"], line["endpoint"], line["status"]) for line in lines]
    assert found == [
        ("GET", "/recommendations/{user_id}", 422),
        ("GET", "/users/{user_id}/features", 200),
        ("POST", "/recommendations", 422),
        ("GET", "other", 404),
    ]
    assert lines[0]["request_id"] == "r1"
    assert lines[0]["level"] == "info"
    assert b"ann" not in out
    assert b"127.0.0.1" not in out


def test_a_fault_is_a_problem_and_told_without_its_words(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise KeyError("ann")

    monkeypatch.setattr(AsyncShelf, "get", broken)
    with calling(settings(redis_url)) as client:
        answer = client.get("/recommendations/ann")
    assert (answer.status_code, answer.json()["title"]) == (500, "Internal Server Error")
    out = capfdbinary.readouterr().out
    fault, request = map(json.loads, out.splitlines())
    assert (fault["event"], fault["error"], fault["level"]) == ("fault", "KeyError", "error")
    assert fault["at"][-1].endswith("broken")
    assert fault["request_id"] == request["request_id"] == answer.json()["request_id"]
    assert request["status"] == 500
    assert b"ann" not in out.replace(b"annot", b"")


def test_pages_of_the_origins_that_are_set_may_call(redis_url: str) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    with calling(settings(redis_url, cors_origins=("https://shop.example",))) as client:
        answer = client.get("/nope", headers={"Origin": "https://shop.example"})
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
        other = client.get("/nope", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
    with calling(settings(redis_url)) as client:
        assert "access-control-allow-origin" not in client.get("/nope", headers=asked).headers


def test_a_dashboard_only_where_there_is_a_log(redis_url: str, tmp_path: Path) -> None:
    with calling(settings(redis_url)) as client:
        assert client.get("/dashboard/summary").status_code == 404
    paths = create_app(settings(redis_url, events_dir=tmp_path)).openapi()["paths"]
    assert "/dashboard/summary" in paths


def test_a_dashboard_without_duckdb_is_told_at_the_start(
    dead_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightshelf.service.app.find_spec", {"fastapi": "there"}.get)
    create_app(settings(dead_url))
    with pytest.raises(ValueError, match=r"pip install 'nightshelf\[dashboard\]'"):
        create_app(settings(dead_url, events_dir=tmp_path))


def test_a_listener_that_loses_a_cancellation_ends_all_the_same(
    dead_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*_: Any) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def open_and_close() -> None:
        shelf = AsyncShelf.from_url(dead_url, SHOP)
        async with asyncio.timeout(10), shelf.listening():
            await asyncio.sleep(0)

    monkeypatch.setattr("nightshelf.client.async_shelf.listen", deaf)
    asyncio.run(open_and_close())


def test_settings_hide_secrets_and_refuse_what_they_do_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digest = "ab" * 32
    key = json.dumps({"web": {"sha256": digest, "scopes": ["read"]}})
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@db:6379/0")
    monkeypatch.setenv("NIGHTSHELF_SERVICE_KEYS", key)
    made = ServiceSettings()
    assert made.keys["web"].scopes == {"read"}
    assert "hunter2" not in repr(made)
    assert digest not in repr(made)
    monkeypatch.setenv("NIGHTSHELF_SERVICE_KEY", key)
    with pytest.raises(ValueError, match="NIGHTSHELF_SERVICE_KEY is no setting") as refused:
        ServiceSettings()
    assert "hunter2" not in str(refused.value)
