"""Lists and feature rows over HTTP: the client's results in the shape of OpenAPI."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from redis import Redis

from nightshelf.service import ServiceSettings
from nightshelf.service.schemas import lists as bodies
from tests.lookup.experiments import LINKS, OUT, experimenting
from tests.lookup.service.calling import Caller, calling
from tests.lookup.shelves import SHOP, publish


@pytest.fixture
def client(redis_url: str, redis_client: Redis) -> Iterator[Caller]:
    publish(redis_client, 1)
    settings = ServiceSettings(redis_url=SecretStr(redis_url), namespace=SHOP, deadline_s=5)
    with calling(settings) as caller:
        yield caller


def checked(answer: Any, model: type[BaseModel]) -> Any:
    """Check a response against its OpenAPI model."""
    assert answer.status_code == 200, answer.text
    model.model_validate_json(answer.content, strict=True, extra="forbid")
    return answer.json()


def ids(document: Any) -> list[str]:
    return [each["item_id"] for each in document["recommendations"]]


def test_a_user_s_list(client: Caller) -> None:
    document = checked(client.get("/recommendations/ann?n=2"), bodies.Recommendations)
    assert document == {
        "user_id": "ann",
        "recommendations": [
            {"item_id": "A1", "score": 1.0, "reason": ["because", "C1"]},
            {"item_id": "B1", "score": 0.5, "reason": ["because", "C1"]},
        ],
        "model_used": "als",
        "source": "list",
        "generation": 1,
        "cached": False,
        "cursor": "1.2.-.list%3Aals",
    }
    assert checked(client.get("/recommendations/ann"), bodies.Recommendations)["cached"]


def test_a_list_in_an_experiment_says_so(client: Caller, redis_client: Redis) -> None:
    redis_client.flushdb()
    experimenting(redis_client)
    said = {"experiment": "exp-1", "variant": "links", "phase": 2}
    sent = {"user_ids": [LINKS, OUT], "n": 1}
    links, out = checked(client.post("/recommendations/batch", json=sent), bodies.Batched)[
        "results"
    ]
    got = checked(client.get(f"/recommendations/{LINKS}?n=1"), bodies.Recommendations)
    posted = checked(
        client.post("/recommendations", json={"user_id": LINKS, "n": 1}), bodies.Recommendations
    )
    for page in (links, got, posted):
        assert said.items() <= page.items()
        assert page["model_used"] == "ease"
        assert "forced" not in page
    assert not {"experiment", "variant", "phase", "forced"} & out.keys()
    counted = client.counted("nightshelf_assigned_total", experiment="exp-1", variant="links")
    forced = {"user_id": OUT, "forced": "exp-1:links"}
    for answer in (
        client.get(f"/recommendations/{OUT}", params={"forced": "exp-1:links"}),
        client.post("/recommendations", json=forced),
    ):
        page = checked(answer, bodies.Recommendations)
        assert (said | {"forced": True}).items() <= page.items()
    assert counted == client.counted(
        "nightshelf_assigned_total", experiment="exp-1", variant="links"
    )
    assert counted >= 3


def test_post_and_get_say_the_same(client: Caller) -> None:
    asked = {"n": 1, "metadata": True, "model_name": "als", "cursor": "1.1.-.list%3Aals"}
    posted = client.post("/recommendations", json={"user_id": "ann", **asked})
    got = client.get("/recommendations/ann", params=asked)
    document = checked(got, bodies.Recommendations)
    assert (ids(document), document["cursor"]) == (["B1"], "1.2.-.list%3Aals")
    assert checked(posted, bodies.Recommendations) | {"cached": True} == document | {"cached": True}


def test_pages_go_on_without_repeats_until_the_end(client: Caller) -> None:
    shown, cursor = [], None
    while True:
        asked = {"user_id": "ann", "n": 1, "cursor": cursor}
        page = checked(client.post("/recommendations", json=asked), bodies.Recommendations)
        shown += ids(page)
        cursor = page["cursor"]
        if cursor is None:
            break
    assert shown == ["A1", "B1", "C1"]


def test_filters_and_metadata(client: Caller) -> None:
    asked = {"user_id": "ann", "filters": {"categories": ["Lamps"]}, "metadata": True}
    page = checked(client.post("/recommendations", json=asked), bodies.Recommendations)
    assert ids(page) == ["A1", "C1"]  # B1 has no row, so it meets no condition
    assert page["recommendations"][0]["metadata"] == {"title": "Lamp 1", "category": "Lamps"}


def test_many_users_in_the_order_asked_for(client: Caller) -> None:
    asked = {"user_ids": ["bob", "ann", "bob", "é/%"], "n": 1}
    document = checked(client.post("/recommendations/batch", json=asked), bodies.Batched)
    found = [(page["user_id"], ids(page), page["source"]) for page in document["results"]]
    bob = ("bob", ["C1"], "popular:segment:gold")
    assert found == [bob, ("ann", ["A1"], "list"), bob, ("é/%", ["B1"], "popular:all")]


@pytest.mark.parametrize(
    ("path", "user"),
    [
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("a%25b", "a%b"),
        ("%25", "%"),
        ("a%3Fn=0", "a?n=0"),
        ("caf%C3%A9", "café"),
        ("%E2%82%AC%20%2B", "€ +"),
        ("batch", "batch"),
        ("a%0Ab", "a\nb"),
        ("a%0D%0A", "a\r\n"),
        ("x%2Ffeatures", "x/features"),
    ],
)
def test_any_id_goes_in_a_path(client: Caller, redis_client: Redis, path: str, user: str) -> None:
    got = checked(client.get(f"/recommendations/{path}"), bodies.Recommendations)
    posted = checked(
        client.post("/recommendations", json={"user_id": user}), bodies.Recommendations
    )
    assert got["user_id"] == user == posted["user_id"]
    row = checked(client.get(f"/users/{path}/features"), bodies.UserFeatures)
    assert row == {"user_id": user, "features": None}


@pytest.mark.parametrize("path", ["", "%00", "a%00b", "x" * 513, "%C3%A9" * 90])
def test_what_is_no_id_is_not_understood(client: Caller, path: str) -> None:
    for place in ("/recommendations/{}", "/similar/{}", "/users/{}/features", "/items/{}/features"):
        answer = client.get(place.format(path))
        assert (answer.status_code, answer.json()["status"]) == (422, 422), place


@pytest.mark.parametrize("path", ["/recommendations/%FF", "/popular/all?user_id=%C3"])
def test_what_is_no_utf8_is_refused(client: Caller, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


def test_similar_and_popular(client: Caller) -> None:
    similar = checked(client.get("/similar/A1?n=1&metadata=true"), bodies.Similar)
    assert (similar["item_id"], ids(similar), similar["source"]) == ("A1", ["B1"], "similar")
    popular = checked(client.get("/popular/category%3ALamps"), bodies.Popular)
    assert (popular["segment"], ids(popular)) == ("category:Lamps", ["C1"])
    assert popular["source"] == "popular:category:Lamps"


def test_what_a_user_is_done_with_is_left_out(client: Caller) -> None:
    bought = {"user_id": "ann", "item_id": "B1", "action": "purchase"}
    assert client.post("/track/action", json=bought).status_code == 202
    assert "B1" in ids(client.get("/popular/all").json())
    assert "B1" not in ids(client.get("/popular/all?user_id=ann").json())


def test_rows(client: Caller) -> None:
    item = checked(client.get("/items/A1/features"), bodies.ItemFeatures)
    assert item == {"item_id": "A1", "features": {"title": "Lamp 1", "category": "Lamps"}}
    user = checked(client.get("/users/bob/features"), bodies.UserFeatures)
    assert user == {"user_id": "bob", "features": {"segment": "gold"}}


@pytest.mark.parametrize(
    "query",
    ["n=0", "n=101", "n=ten", "n=1.5", "colour=red", "metadata=perhaps", "cursor=zz"],
)
def test_a_query_that_is_not_understood(client: Caller, query: str) -> None:
    assert client.get(f"/recommendations/ann?{query}").status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"user_id": 7},
        {"user_id": ""},
        {"user_id": "\ud800"},
        {"user_id": "a", "n": "5"},
        {"user_id": "a", "n": True},
        {"user_id": "a", "colour": "red"},
        {"user_id": "a", "filters": {"min_price": float("nan")}},
        {"user_id": "a", "filters": {"max_price": -1}},
        {"user_id": "a", "filters": {"categories": "Lamps"}},
        {"user_id": "a", "filters": {"tags": ["x"] * 51}},
        {"user_id": "a", "cursor": "1.2.-.list%3A"},
    ],
)
def test_a_body_that_is_not_understood(client: Caller, body: Any) -> None:
    answer = client.post("/recommendations", content=as_json(body), headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


JSON = {"Content-Type": "application/json"}


def as_json(body: Any) -> str:
    return json.dumps(body)


def test_redis_gone_is_no_error_of_a_read(dead_url: str) -> None:
    with calling(ServiceSettings(redis_url=SecretStr(dead_url))) as client:
        page = checked(client.get("/recommendations/ann"), bodies.Recommendations)
        assert (page["recommendations"], page["source"]) == ([], "none")
        row = checked(client.get("/items/A1/features"), bodies.ItemFeatures)
        assert row["features"] is None
        many = checked(
            client.post("/recommendations/batch", json={"user_ids": ["a"]}), bodies.Batched
        )
        assert many["results"][0]["source"] == "none"


def test_what_was_served_is_counted(client: Caller) -> None:
    client.get("/recommendations/ann")
    labels = {"endpoint": "/recommendations/{user_id}", "status": "200"}
    assert client.counted("nightshelf_requests_total", **labels, model="als", source="list") == 1
