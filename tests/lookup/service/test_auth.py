"""API keys: the routes of each scope, and refusals."""

from collections.abc import Iterator
from hashlib import sha256
from typing import get_args

import pytest
from pydantic import SecretStr

from nightshelf.service import ApiKey, ServiceSettings, create_app
from nightshelf.service.settings import Scope
from tests.lookup.service.calling import Caller, calling

READ, TRACK, ALL = "r" * 32, "t" * 32, "a" * 32
GETS = ("/recommendations/ann", "/similar/A1", "/popular/all", "/users/a/features", "/metrics")


def key(text: str, *scopes: Scope) -> ApiKey:
    return ApiKey(sha256=sha256(text.encode()).hexdigest(), scopes=frozenset(scopes))


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture(scope="module")
def settings(redis_url: str) -> ServiceSettings:
    keys = {"web": key(READ, "read"), "app": key(TRACK, "track"), "ops": key(ALL, *get_args(Scope))}
    return ServiceSettings(redis_url=SecretStr(redis_url), deadline_s=5, keys=keys)


@pytest.fixture(scope="module")
def client(settings: ServiceSettings) -> Iterator[Caller]:
    with calling(settings) as caller:
        yield caller


@pytest.mark.parametrize("path", GETS)
def test_nothing_opens_without_a_key(client: Caller, path: str) -> None:
    bare = "Basic " + READ
    for headers in ({}, bearer("x" * 32), bearer(""), {"Authorization": bare}):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (401, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert client.get(path, headers=bearer(ALL)).status_code == 200


def test_a_key_that_tells_opens_nothing_else(client: Caller) -> None:
    for path in GETS:
        assert client.get(path, headers=bearer(TRACK)).status_code == 403
    click = {"user_id": "ann", "item_id": "A1"}
    assert client.post("/track/click", json=click, headers=bearer(TRACK)).status_code == 202


def test_every_route_but_health_asks_for_a_key(settings: ServiceSettings, client: Caller) -> None:
    asked = []
    for path, methods in create_app(settings).openapi()["paths"].items():
        filled = path.replace("{", "").replace("}", "")
        if "get" in methods:
            asked.append((path, client.get(filled).status_code))
        if "post" in methods:
            asked.append((path, client.post(filled, json={}).status_code))
    closed = {path for path, status in asked if status == 401}
    assert {path for path, _ in asked} - closed == {"/health/live", "/health/ready"}
    assert len(asked) > 10


@pytest.mark.parametrize("path", ["/track/click", "/recommendations", "/recommendations/batch"])
def test_a_body_is_not_looked_at_before_the_key(client: Caller, path: str) -> None:
    head = {"Content-Type": "application/json"}
    assert client.post(path, content=b"{", headers=head).status_code == 401
    assert client.post(path, content=b"{", headers=head | bearer(ALL)).status_code == 422


def test_a_key_opens_its_scopes_and_no_more(client: Caller) -> None:
    assert client.get("/popular/all", headers=bearer(READ)).status_code == 200
    refused = client.get("/metrics", headers=bearer(READ))
    assert (refused.status_code, refused.json()["title"]) == (403, "Forbidden")
    click = {"user_id": "ann", "item_id": "A1"}
    assert client.post("/track/click", json=click, headers=bearer(READ)).status_code == 403
    assert client.post("/track/click", json=click, headers=bearer(ALL)).status_code == 202


def test_the_scheme_s_case_does_not_matter(client: Caller) -> None:
    headers = {"Authorization": f"bearer  {READ}"}
    assert client.get("/popular/all", headers=headers).status_code == 200


def test_a_key_is_the_digest_s_text_not_the_digest(client: Caller) -> None:
    digest = sha256(READ.encode()).hexdigest()
    assert client.get("/popular/all", headers=bearer(digest)).status_code == 401
