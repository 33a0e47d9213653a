"""Every error is a problem document (RFC 9457)."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from nightshelf.service import ServiceSettings
from nightshelf.service.problems import ProblemDocument
from tests.lookup.service.calling import Caller, calling

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(redis_url: str) -> Iterator[Caller]:
    with calling(ServiceSettings(redis_url=SecretStr(redis_url), deadline_s=5)) as caller:
        yield caller


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/nope", None, 404),
        ("/recommendations", None, 405),
        ("/recommendations/", None, 422),
        ("/popular/nothing", None, 422),
        ("/recommendations", b"{", 422),
        ("/recommendations", b"\xff", 400),
        ("/recommendations", b'{"user_id":"a","n":' + b"9" * 5_000 + b"}", 400),
        ("/recommendations", b"[" * 60_000, 400),
        ("/recommendations/ann", b"{}", 405),
    ],
)
def test_a_document_for_each(client: Caller, path: str, content: bytes | None, status: int) -> None:
    if content is None:
        answer = client.get(path)
    else:
        answer = client.post(path, content=content, headers=JSON)
    assert answer.headers["content-type"] == "application/problem+json"
    document = ProblemDocument.model_validate_json(answer.content, strict=True)
    assert answer.status_code == document.status == status
    assert document.type == "about:blank"
    assert document.request_id == answer.headers["x-request-id"]
    assert document.title
    assert document.detail


def test_each_thing_that_is_wrong_is_told_with_its_place(client: Caller) -> None:
    body = {"user_id": "ann", "n": 0, "filters": {"tags": [7]}}
    document = client.post("/recommendations", json=body).json()
    assert [error["at"] for error in document["errors"]] == ["body.n", "body.filters.tags.0"]
    assert "ann" not in str(document)


def test_the_methods_that_are_there_are_named(client: Caller) -> None:
    assert client.get("/recommendations").headers["allow"] == "POST"
