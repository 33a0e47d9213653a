"""Unusual requests: HEAD, slashes, a proxy's path, incomplete bodies."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr
from redis import Redis

from nightshelf.service import ServiceSettings
from nightshelf.service.dashboard.query import Asked, Unreadable, figures
from tests.lookup.service.calling import Caller, calling
from tests.lookup.service.event_log import FIRST, NOON
from tests.lookup.shelves import SHOP, publish


@pytest.fixture(scope="module")
def settings(redis_url: str) -> ServiceSettings:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        publish(redis, 1)
    return ServiceSettings(redis_url=SecretStr(redis_url), namespace=SHOP, deadline_s=5)


@pytest.fixture(scope="module")
def client(settings: ServiceSettings) -> Iterator[Caller]:
    with calling(settings) as caller:
        yield caller


@pytest.mark.parametrize(
    "path",
    ["/recommendations/ann", "/popular/all", "/users/ann/features", "/health/live", "/nope",
     "/health/ready", "/metrics", "/openapi.json", "/recommendations/ann?n=0"],
)  # fmt: skip
def test_head_is_get_without_a_body(client: Caller, path: str) -> None:
    client.get(path)  # what is kept from then on says so
    get, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/metrics":
        assert head.headers["content-length"] == get.headers["content-length"]


def test_methods_that_are_not_there_are_named(client: Caller) -> None:
    assert client.head("/track/click").headers["allow"] == "POST"
    assert client.post("/recommendations/ann").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("path", "status", "asked"),
    [
        ("/recommendations/ann", 200, "ann"),
        ("/recommendations/ann/", 404, None),
        ("/recommendations//ann", 404, None),
        ("/recommendations/ann%2F", 200, "ann/"),
        ("/recommendations/%2Fann", 200, "/ann"),
        ("/recommendations/%2F", 200, "/"),
        ("/recommendations/", 422, None),
        ("/users/ann//features", 404, None),
        ("/users/ann%2F/features", 200, "ann/"),
        ("/users/ann/features/", 404, None),
        ("/similar/A1/", 404, None),
        ("/popular/all/", 404, None),
        ("/items/A1//features", 404, None),
    ],
)
def test_no_slash_makes_another_of_an_id(
    client: Caller, path: str, status: int, asked: str | None
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json().get("user_id") == asked
    if status == 404 and "//" in path:
        assert "%2F" in answer.json()["detail"]


@pytest.mark.parametrize("segment", ["nope", "", "all%20", "category:", "Category:x"])
def test_segments_that_there_are_are_named(client: Caller, segment: str) -> None:
    answer = client.get(f"/popular/{segment}")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["at"] == "segment"
    assert "all, trending, new, category:<name> or segment:<name>" in error["message"]


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"user_id": "ann"}, [("body.item_id", "Field required")]),
        ([{"user_id": "ann"}], [("body.0.item_id", "Field required")]),
        ({"user_id": "ann", "item_id": ""}, [("body.item_id", "must not be empty")]),
        ({"user_id": "ann", "item_id": "A1", "pos": 1}, [("body.pos", "Extra inputs")]),
        ([{"user_id": "ann", "item_id": "A1", "position": 0}], [("body.0.position", "greater")]),
        ([], [("body", "at least 1 item")]),
        ([{"user_id": "ann", "item_id": "A1"}] * 101, [("body", "at most 100 items")]),
        (7, [("body", "a JSON object")]),
        ({"user_id": "ann", "item_id": "A1", "event_id": "a b"}, [("body.event_id", "1 to 128")]),
    ],
)
def test_what_is_wrong_with_an_event_and_nothing_else(
    client: Caller, body: Any, errors: list[tuple[str, str]]
) -> None:
    answer = client.post("/track/click", json=body)
    assert answer.status_code == 422
    found = answer.json()["errors"]
    assert [error["at"] for error in found] == [at for at, _ in errors]
    for error, (_, words) in zip(found, errors, strict=True):
        assert words in error["message"]


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("path", ["/track/click", "/recommendations"])
def test_a_body_must_say_that_it_is_json(client: Caller, path: str, kind: str | None) -> None:
    body = json.dumps({"user_id": "ann", "item_id": "A1"}).encode()
    answer = client.post(path, content=body, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize("prefix", ["", "/recs"])
def test_under_a_proxy_s_path_whether_it_takes_it_off_or_not(
    settings: ServiceSettings, prefix: str
) -> None:
    with calling(settings.model_copy(update={"root_path": "/recs", "max_per_s": 7})) as client:
        assert client.get(f"{prefix}/recommendations/ann").json()["source"] == "list"
        assert client.get(f"{prefix}/recommendations/ann/").status_code == 404
        assert client.get(f"{prefix}/users/a%2Fb/features").json()["user_id"] == "a/b"
        assert client.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/recs"}]
        assert 'src="docs/' in client.get(f"{prefix}/docs").text, "links are relative"
        for _ in range(20):  # probes always pass
            assert client.get(f"{prefix}/health/live").status_code == 200


def own_log(folder: Path, **columns: Any) -> None:
    path = folder / f"date={FIRST}" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_a_log_without_what_the_service_adds_has_figures(tmp_path: Path) -> None:
    ts = pa.array([NOON.replace(tzinfo=None)] * 3, pa.timestamp("us"))
    types = ["impression", "impression", "purchase"]
    own_log(tmp_path, user_id=[1, 2, 2], event_type=types, ts=ts, item_id=["a", "b", "b"])
    own = figures(tmp_path, Asked(FIRST, FIRST, hourly=True), 60)
    assert [(row["impressions"], row["conversions"], row["unique_users"]) for row in own] == [
        (2, 1, 2),
        (2, 1, 2),
    ]
    assert own[1]["hour"] == NOON.hour  # a time without a zone is UTC


def test_a_column_that_a_log_must_have_is_named(tmp_path: Path) -> None:
    own_log(tmp_path, customer=["ann"], event_type=["click"], ts=[NOON])
    with pytest.raises(Unreadable) as raised:
        figures(tmp_path, Asked(FIRST, date(2026, 3, 2)), 60)
    assert raised.value.reason == "has no column user_id"
    own_log(tmp_path, user_id=["ann"], event_type=["click"], ts=["yesterday"])
    with pytest.raises(Unreadable) as raised:
        figures(tmp_path, Asked(FIRST, FIRST, hourly=True), 60)
    assert "yesterday" in raised.value.reason
