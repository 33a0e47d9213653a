"""Bounds on the tracked events that wait to be collected: in all, and of one caller."""

import time
from collections import Counter, deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from redis import Redis

from nightshelf.contract.keys import Keys
from nightshelf.service import ServiceSettings
from nightshelf.service.event_quota import Shares
from tests.lookup.service.calling import Caller, calling
from tests.lookup.service.test_auth import bearer, key
from tests.lookup.shelves import SHOP, publish

EVENTS = Keys(SHOP).events
LOUD, QUIET = "loud key", "quiet key"


@pytest.fixture
def client(redis_url: str, redis_client: Redis) -> Iterator[Caller]:
    publish(redis_client, 1)
    settings = ServiceSettings(
        redis_url=SecretStr(redis_url),
        namespace=SHOP,
        deadline_s=5,
        max_events=400,
        caller_share=0.25,
        keys={"loud": key(LOUD, "track", "read", "admin"), "quiet": key(QUIET, "track")},
    )
    with calling(settings) as caller:
        yield caller


def send(client: Caller, who: str, n: int, path: str = "/track/click") -> int:
    events = [{"user_id": "ann", "item_id": "A1"}] * n
    return client.post(path, json=events, headers=bearer(who)).status_code


def test_a_flood_takes_no_more_than_its_share(client: Caller, redis_client: Redis) -> None:
    assert Counter(send(client, LOUD, 10) for _ in range(40)) == {202: 10, 429: 30}
    assert [send(client, QUIET, 50) for _ in range(2)] == [202, 202]
    assert redis_client.xlen(EVENTS) == 200
    counted = {"cause": "share"}
    assert client.counted("nightshelf_events_not_recorded_total", **counted) == 300
    answer = client.post(
        "/track/click", json={"user_id": "ann", "item_id": "A1"}, headers=bearer(LOUD)
    )
    assert answer.headers["retry-after"] == "10"
    assert "100 may wait to be collected" in answer.json()["detail"]


def test_what_is_collected_is_nobody_s_share_any_more(client: Caller, redis_client: Redis) -> None:
    while send(client, LOUD, 20) == 202:
        pass
    redis_client.xtrim(EVENTS, maxlen=0, approximate=False)
    until = time.monotonic() + 10  # what Redis said of it holds for a second
    while (status := send(client, LOUD, 20)) == 429 and time.monotonic() < until:
        time.sleep(0.1)
    assert status == 202


def test_when_the_stream_is_full_all_are_told_and_lists_are_read(
    client: Caller, redis_client: Redis
) -> None:
    for number in range(400):
        redis_client.xadd(EVENTS, {"event_id": str(number)})  # others', who come past the service
    assert send(client, QUIET, 1) == 202  # it learns by this one
    answer = client.post(
        "/track/conversion", json={"user_id": "ann", "item_id": "A1"}, headers=bearer(QUIET)
    )
    assert answer.status_code == 503
    assert "400 events wait to be collected" in answer.json()["detail"]
    assert client.counted("nightshelf_events_not_recorded_total", cause="full") == 1
    assert redis_client.xlen(EVENTS) == 401
    page = client.get("/recommendations/ann", headers=bearer(LOUD)).json()
    assert page["source"] == "list"
    assert "A1" not in [each["item_id"] for each in page["recommendations"]]
    assert "nightshelf_events_waiting 401.0" in client.get("/metrics", headers=bearer(LOUD)).text


def test_a_redis_without_memory_loses_nothing_unsaid(own_redis_url: str) -> None:
    with Redis.from_url(own_redis_url) as redis:
        publish(redis, 1)
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", 1)
        settings = ServiceSettings(
            redis_url=SecretStr(own_redis_url), namespace=SHOP, deadline_s=5, keys={}
        )
        with calling(settings) as client:
            answer = client.post("/track/click", json=[{"user_id": "ann", "item_id": "A1"}] * 3)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "oom" in answer.json()["detail"]
            assert client.counted("nightshelf_events_not_recorded_total", cause="oom") == 3
            for _ in range(5):  # writes that are refused do not open the breaker
                client.post("/track/click", json={"user_id": "ann", "item_id": "A1"})
            assert client.get("/recommendations/ann").json()["source"] == "list"
            redis.config_set("maxmemory", 0)
            again = client.post("/track/click", json={"user_id": "ann", "item_id": "A1"})
            assert again.status_code == 202


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from("abc"), st.integers(1, 30)),
        st.tuples(st.just("collect"), st.just(""), st.integers(1, 400)),
    ),
    max_size=80,
)


@given(steps)
def test_shares_against_a_stream_of_callers(taken: list[tuple[str, str, int]]) -> None:
    shares = Shares(400, 0.25)
    slack = 10 + 29  # a part, and the batch that filled it
    stream: deque[str] = deque()
    for what, caller, n in taken:
        if what == "collect":
            for _ in range(min(n, len(stream))):
                stream.popleft()
            shares.collected(len(stream))
            continue
        waiting = stream.count(caller)
        may = shares.may_add(caller, n)
        if not may:
            shares.collected(len(stream))
            may = shares.may_add(caller, n)
        if may:
            assert waiting + n <= 100
            stream.extend(caller * n)
            shares.add(caller, n)
        else:
            assert waiting + n > 100 - slack
