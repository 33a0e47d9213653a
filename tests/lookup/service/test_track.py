"""Tracking over HTTP: recorded, applied, counted once; refused as a problem document."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis

from nightshelf import ACTIONS
from nightshelf.contract.keys import Keys
from nightshelf.service import ServiceSettings
from nightshelf.service.schemas.track import MAX_EVENTS
from tests.lookup.client.test_recent_events import live
from tests.lookup.client.test_tracking import own_names
from tests.lookup.service.calling import Caller, calling
from tests.lookup.shelves import SHOP, entries, publish

KEYS = Keys(SHOP)
CLICK = {"user_id": "ann", "item_id": "A1"}


@pytest.fixture(scope="module")
def app(redis_url: str) -> Iterator[Caller]:
    settings = ServiceSettings(redis_url=SecretStr(redis_url), namespace=SHOP, deadline_s=5)
    with calling(settings) as client:
        yield client


@pytest.fixture
def client(app: Caller, redis_client: Redis) -> Caller:
    publish(redis_client)
    return app


def test_an_impression_and_what_goes_with_it(client: Caller, redis_client: Redis) -> None:
    said = {"generation": 7, "model": "als", "experiment": "exp-1", "variant": "b", "phase": 2}
    said |= {"position": 3, "latency_ms": 12.5}
    answer = client.post("/track/impression", json=CLICK | said | {"event_id": "i1"})
    assert (answer.status_code, answer.json()) == (202, {"event_ids": ["i1"]})
    (entry,) = entries(redis_client)
    assert entry.pop("ts").endswith("+00:00")
    sent = {name: str(value) for name, value in (CLICK | said).items()}
    assert entry == sent | {"event_id": "i1", "event_type": "impression"}


def test_a_testers_impression_is_recorded_outside_the_experiment(
    client: Caller, redis_client: Redis
) -> None:
    served = {"experiment": "exp-1", "variant": "b", "phase": 2, "forced": True, "model": "ease"}
    assert client.post("/track/impression", json=CLICK | served).status_code == 202
    (entry,) = entries(redis_client)
    assert entry["model"] == "ease"
    assert not {"experiment", "variant", "phase", "forced"} & entry.keys()


def test_a_list_of_clicks_gets_ids_in_order(client: Caller, redis_client: Redis) -> None:
    clicks = [CLICK, CLICK | {"event_id": "mine"}, CLICK]
    ids = client.post("/track/click", json=clicks).json()["event_ids"]
    assert ids[1] == "mine"
    assert len(set(ids)) == 3
    assert [entry["event_id"] for entry in entries(redis_client)] == ids


def test_sent_twice_counts_once(client: Caller, redis_client: Redis) -> None:
    labels = {"event": "click", "model": "als", "variant": ""}
    place = {"event": "click", "position": "2"}
    before = client.counted("nightshelf_events_total", **labels)
    click = CLICK | {"event_id": "twice", "model": "als", "position": 2}
    for body in (click, click, [click, click]):
        assert client.post("/track/click", json=body).status_code == 202
    assert client.counted("nightshelf_events_total", **labels) == before + 1
    assert client.counted("nightshelf_events_by_position_total", **place) == 1
    assert {entry["event_id"] for entry in entries(redis_client)} == {"twice"}


def test_a_conversion_is_a_purchase_and_masks(client: Caller, redis_client: Redis) -> None:
    sold = [
        {"user_id": "ann", "item_id": "A1", "revenue": 9.5, "event_id": "o1", "variant": "b"},
        {"user_id": "ann", "item_id": "B1", "revenue": 0.5, "event_id": "o2", "variant": "b"},
    ]
    assert client.post("/track/conversion", json=sold).json() == {"event_ids": ["o1", "o2"]}
    shown = client.get("/recommendations/ann").json()["recommendations"]
    assert [each["item_id"] for each in shown] == ["C1"]
    assert sorted(redis_client.zrange(KEYS.masked("ann"), 0, -1)) == [b"A1", b"B1"]
    first, second = entries(redis_client)
    assert (first["event_type"], first["value"], second["value"]) == ("purchase", "9.5", "0.5")
    assert client.counted("nightshelf_revenue_total", model="", variant="b") == 10.0


def test_what_is_told_is_in_the_rows_at_once_and_for_as_long_as_is_set(
    redis_client: Redis, redis_url: str
) -> None:
    live(redis_client)
    redis_client.set(
        KEYS.item(1, "A1"), b'{"popularity_score":1,"avg_rating":null,"num_ratings":0}'
    )
    settings = ServiceSettings(
        redis_url=SecretStr(redis_url), deadline_s=5, recent_user_ttl_s=77, recent_item_ttl_s=777
    )
    with calling(settings) as client:
        for path, sent in (("click", CLICK), ("action", CLICK | {"action": "rating", "value": 4})):
            assert client.post(f"/track/{path}", json=sent).status_code == 202
        user = client.get("/users/ann/features").json()["features"]
        item = client.get("/items/A1/features").json()["features"]
    assert (user["events"], user["recent_views"], user["avg_rating"]) == (2, ["A1"], 4.0)
    assert (item["num_ratings"], item["avg_rating"]) == (1, 4.0)
    assert 70 < redis_client.ttl(KEYS.recent("ann")) <= 77
    assert 770 < redis_client.ttl(KEYS.recent_item("A1")) <= 777


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_each_action_has_its_effects(client: Caller, redis_client: Redis, action: str) -> None:
    effect = ACTIONS[action]
    body = {"user_id": "ann", "item_id": "A1", "action": action, "value": 4}
    assert client.post("/track/action", json=body).status_code == 202
    assert (redis_client.zscore(KEYS.masked("ann"), "A1") is not None) is effect.masks
    assert (redis_client.zscore(KEYS.refresh_queue, "ann") is not None) is effect.refreshes
    (entry,) = entries(redis_client)
    assert (entry["event_type"], entry["value"]) == (action, "4.0")


def test_the_night_names_actions_and_conversions(redis_url: str, redis_client: Redis) -> None:
    own_names(redis_client)
    settings = ServiceSettings(redis_url=SecretStr(redis_url), namespace=SHOP, deadline_s=5)
    with calling(settings) as client:
        for path, more in (
            ("action", {"action": "order", "value": 7}),
            ("conversion", {"item_id": "B1", "revenue": 9.5}),
            ("action", {"action": "page", "item_id": "C1"}),
        ):
            answer = client.post(f"/track/{path}", json=CLICK | {"event_id": path} | more)
            assert (answer.status_code, answer.json()) == (202, {"event_ids": [path]})
        sent = [
            CLICK | {"action": name, "event_id": name} for name in ("purchase", "ordr", "ordr2")
        ]
        answer = client.post("/track/action", json=sent)
        assert answer.status_code == 202
        assert answer.json() == {
            "event_ids": ["purchase", "ordr", "ordr2"],
            "unknown_types": ["purchase", "ordr", "ordr2"],
        }
        labels = {"model": "", "variant": ""}
        assert client.counted("nightshelf_events_total", event="order", **labels) == 2
        assert client.counted("nightshelf_events_total", event="other", **labels) == 3
        assert client.counted("nightshelf_conversions_total", **labels) == 2
        assert client.counted("nightshelf_revenue_total", **labels) == 16.5
        assert client.counted("nightshelf_unknown_actions_total") == 3
        items = client.get("/recommendations/ann").json()["recommendations"]
    assert [item["item_id"] for item in items] == ["C1"]
    kinds = [entry["event_type"] for entry in entries(redis_client)]
    assert kinds == ["order", "order", "page", "purchase", "ordr", "ordr2"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("click", {"user_id": "ann"}),
        ("click", CLICK | {"user_id": ""}),
        ("click", CLICK | {"user_id": "\0"}),
        ("click", CLICK | {"item_id": "é" * 400}),
        ("click", CLICK | {"user_id": 5}),
        ("click", CLICK | {"position": 0}),
        ("click", CLICK | {"position": True}),
        ("click", CLICK | {"positions": 1}),
        ("click", CLICK | {"generation": 2**63}),
        ("click", CLICK | {"event_id": "a b"}),
        ("click", CLICK | {"event_id": "x" * 129}),
        ("click", []),
        ("click", [CLICK] * (MAX_EVENTS + 1)),
        ("click", [CLICK, {"user_id": "ann"}]),
        ("conversion", CLICK | {"revenue": -1}),
        ("conversion", CLICK | {"revenue": "9"}),
        ("impression", CLICK | {"latency_ms": 1e13}),
        ("action", CLICK | {"action": ""}),
        ("action", CLICK | {"action": "x" * 513}),
        ("action", [CLICK | {"action": "purchase"}, CLICK]),
    ],
)
def test_what_is_wrong_is_a_422_before_anything_is_done(
    client: Caller, redis_client: Redis, path: str, body: Any
) -> None:
    answer = client.post(f"/track/{path}", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert not redis_client.exists(KEYS.events, KEYS.masked("ann"), KEYS.refresh_queue)


@pytest.mark.parametrize(
    "content",
    [
        b'{"user_id": "\\ud800", "item_id": "A1"}',
        b'{"user_id": "ann", "item_id": "A1", "variant": "\\udfff"}',
        b'{"user_id": "ann", "item_id": "A1", "position": 1e400}',
        b'{"user_id": "ann", "item_id": "A1", "event_id": "\\ud800"}',
        b'{"user_id": "ann", "item_id": NaN}',
        b"[[]]",
        b"null",
        b"\xff",
        b"",
    ],
)
def test_bytes_that_no_client_would_send(client: Caller, content: bytes) -> None:
    head = {"content-type": "application/json"}
    answer = client.post("/track/click", content=content, headers=head)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "more"),
    [("click", {}), ("action", {"action": "purchase"})],
)
def test_what_redis_did_not_take_is_a_503_and_not_counted(
    dead_url: str, path: str, more: dict[str, str]
) -> None:
    settings = ServiceSettings(redis_url=SecretStr(dead_url), namespace=SHOP)
    with calling(settings) as client:
        answer = client.post(f"/track/{path}", json=[CLICK | more] * 2)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert "did not take this" in answer.json()["detail"]
        for event in ("click", "purchase"):
            labels = {"event": event, "model": "", "variant": ""}
            assert client.counted("nightshelf_events_total", **labels) == 0
