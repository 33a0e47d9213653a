"""The dashboard over HTTP: documents, problems, and lists that do not wait for it."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import get_args

import httpx
import pytest
from pydantic import SecretStr
from redis import Redis

from nightshelf.service import ApiKey, ServiceSettings, create_app
from nightshelf.service.dashboard.event_log import EventLog, Limits
from nightshelf.service.dashboard.query import Asked
from nightshelf.service.schemas.dashboard import Figures
from nightshelf.service.settings import Scope
from tests.lookup.client.test_tracking import own_names
from tests.lookup.service.calling import Caller, calling
from tests.lookup.service.event_log import NOON, LoggedEvent, write
from tests.lookup.shelves import SHOP, publish


@pytest.fixture(scope="module")
def shop_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A morning on which Ann was shown two items, clicked on one and bought it."""
    folder = tmp_path_factory.mktemp("log")
    shown = [LoggedEvent(f"s{at}", position=at, latency_ms=8.0 * at, variant="b") for at in (1, 2)]
    click = LoggedEvent("c1", event_type="click", ts=NOON + timedelta(hours=1), variant="b")
    order = LoggedEvent(
        "o1", event_type="purchase", ts=NOON + timedelta(hours=2), value=19.5, model=None
    )
    write(folder, [*shown, click, order])
    return folder


@pytest.fixture(scope="module")
def client(shop_log: Path) -> Iterator[Caller]:
    with calling(ServiceSettings(events_dir=shop_log)) as caller:
        yield caller


def test_a_summary_over_http(client: Caller) -> None:
    answer = client.get("/dashboard/summary?start=2026-02-28&end=2026-03-01")
    none = Figures().model_dump()
    shown = {"impressions": 2, "clicks": 1, "ctr": 0.5, "unique_users": 1}
    shown |= {"p95_latency_ms": 16.0, "p99_latency_ms": 16.0}
    sold = {"conversions": 1, "revenue": 19.5, "unique_users": 1}
    assert answer.json() == {
        "start": "2026-02-28",
        "end": "2026-03-01",
        "model": None,
        "total": none | shown | sold | {"conversion_rate": 1.0},
        "parts": [
            none | shown | {"conversion_rate": 0.0, "model": "als", "variant": "b"},
            none | sold | {"model": None, "variant": None},
        ],
    }


def test_a_day_by_the_hour_over_http(client: Caller) -> None:
    document = client.get("/dashboard/hourly?date=2026-03-01&model=als").json()
    assert [hour["hour"] for hour in document["hours"]] == list(range(24))
    assert [hour["impressions"] for hour in document["hours"]] == [0] * 12 + [2] + [0] * 11
    assert document["total"]["conversions"] == 0
    assert (document["date"], document["model"]) == ("2026-03-01", "als")


def test_days_without_a_log_are_zeros(client: Caller) -> None:
    answer = client.get("/dashboard/summary?start=0001-01-01&end=0001-01-01")
    assert answer.json()["total"] == Figures().model_dump()
    last = client.get("/dashboard/hourly?date=9999-12-31").json()
    assert last["hours"] == [{"hour": hour, **Figures().model_dump()} for hour in range(24)]


@pytest.mark.parametrize(
    "query",
    [
        "summary",
        "summary?start=2026-03-01",
        "summary?start=2026-03-02&end=2026-03-01",
        "summary?start=2026-01-01&end=2026-04-03",
        "summary?start=0&end=0",
        "summary?start=2026-02-29&end=2026-03-01",
        "summary?start=20260301&end=20260301",
        "hourly?date=2026-W10-7",
        "hourly?date=2026-03-01T00:00",
        "hourly?date=../../etc",
        f"hourly?date=2026-03-01&model={'m' * 600}",
    ],
)
def test_what_is_no_question_is_a_problem(query: str, client: Caller) -> None:
    answer = client.get(f"/dashboard/{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("model", ["%00", "%ff", "%F0%9F%92%A1", "'%20OR%201=1--", ""])
def test_any_model_may_be_asked_for(model: str, client: Caller) -> None:
    answer = client.get(f"/dashboard/hourly?date=2026-03-01&model={model}")
    assert answer.json()["total"] == Figures().model_dump()


def test_a_quarter_may_be_asked_for(client: Caller) -> None:
    answer = client.get("/dashboard/summary?start=2026-01-01&end=2026-04-02")
    assert answer.json()["total"]["impressions"] == 2


def test_a_broken_file_is_a_problem_that_names_it(tmp_path: Path, dead_url: str) -> None:
    write(tmp_path, [LoggedEvent("e1")])
    path = tmp_path / "date=2026-03-01/part-0.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with calling(ServiceSettings(redis_url=SecretStr(dead_url), events_dir=tmp_path)) as client:
        answer = client.get("/dashboard/hourly?date=2026-03-01")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "date=2026-03-01/part-0.parquet" in answer.json()["detail"]
    assert str(tmp_path) not in answer.text


def test_it_needs_a_key_of_scope_admin(shop_log: Path, dead_url: str) -> None:
    keys = {
        scope: ApiKey(sha256=sha256(scope.encode()).hexdigest(), scopes=frozenset({scope}))
        for scope in get_args(Scope)
    }
    settings = ServiceSettings(redis_url=SecretStr(dead_url), events_dir=shop_log, keys=keys)
    with calling(settings) as client:
        for key, status in (("none", 401), ("read", 403), ("track", 403), ("admin", 200)):
            headers = {"Authorization": f"Bearer {key}"}
            answer = client.get("/dashboard/hourly?date=2026-03-01", headers=headers)
            assert answer.status_code == status


def test_lists_are_served_while_a_slow_question_runs(
    endless: Path, asked_of_the_log: list[Asked], redis_url: str, redis_client: Redis
) -> None:
    publish(redis_client)
    settings = ServiceSettings(
        redis_url=SecretStr(redis_url), namespace=SHOP, deadline_s=5, events_dir=endless
    )
    app = create_app(settings)
    app.state.event_log = EventLog(endless, Limits(query_s=1.0, turn_s=0.1))

    async def call() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            slow = asyncio.create_task(client.get("/dashboard/hourly?date=2026-03-01"))
            while not asked_of_the_log:
                await asyncio.sleep(0.01)
            lists = [await client.get("/recommendations/ann") for _ in range(5)]
            busy = await client.get("/dashboard/hourly?date=2026-03-01&model=als")
            assert not slow.done()
            assert [answer.json()["source"] for answer in lists] == ["list"] * 5
            assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
            assert (await slow).json()["detail"].startswith("2026-03-01 to 2026-03-01 is")
        await app.state.nightshelf.shelf.aclose()

    asyncio.run(call())


def test_the_night_says_what_a_conversion_is(
    tmp_path: Path, redis_client: Redis, redis_url: str
) -> None:
    own_names(redis_client)
    write(
        tmp_path,
        [
            LoggedEvent("o1", event_type="order", value=3.0),
            LoggedEvent("p1", event_type="purchase"),
        ],
    )
    settings = ServiceSettings(
        redis_url=SecretStr(redis_url), namespace=SHOP, deadline_s=5, events_dir=tmp_path
    )
    with calling(settings) as caller:
        total = caller.get("/dashboard/summary?start=2026-03-01&end=2026-03-01").json()["total"]
    assert (total["conversions"], total["revenue"]) == (1, 3.0)
