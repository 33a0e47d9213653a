"""Metrics of the service: each thing counted once, with a bounded number of labels."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from nightshelf import AsyncShelf, Event
from nightshelf.client.transport.connection import connect_async
from nightshelf.contract.keys import Keys
from nightshelf.service.metrics import MAX_VALUES, Metrics
from tests.lookup.shelves import SHOP, Clock, publish

NOWHERE = "redis://127.0.0.1:1/0"
T = TypeVar("T")


def with_metrics(url: str, use: Callable[[AsyncShelf, Metrics, Clock], Awaitable[T]]) -> T:
    """Run `use` with a shelf, its metrics and its clock."""

    async def run() -> T:
        clock = Clock()
        shelf = AsyncShelf(connect_async(url, timeout_s=5), SHOP, clock=clock)
        try:
            return await use(shelf, Metrics(shelf), clock)
        finally:
            await shelf.aclose()

    return asyncio.run(run())


def fresh() -> Metrics:
    return Metrics(AsyncShelf(connect_async(NOWHERE, timeout_s=1), SHOP))


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Return a family's samples of this name by their labels' values, in order of label names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    }


def test_a_request_by_endpoint_model_source_and_status() -> None:
    metrics = fresh()
    for source in ("popular:segment:gold", "popular:segment:new"):
        metrics.served("/recommendations", 200, 0.004, model=None, source=source)
    metrics.served("/recommendations", 200, 0.2, model="als", source="list")
    metrics.served("/track/click", 503, 3.0, model=None, source=None)
    assert samples(metrics, "nightshelf_requests_total") == {
        ("/recommendations", "", "popular:segment", "200"): 2,
        ("/recommendations", "als", "list", "200"): 1,
        ("/track/click", "", "", "503"): 1,
    }
    buckets = samples(metrics, "nightshelf_request_duration_seconds_bucket")
    within = {le: buckets["/recommendations", le] for le in ("0.0025", "0.005", "0.1", "0.25")}
    assert within == {"0.0025": 0, "0.005": 2, "0.1": 2, "0.25": 3}
    assert buckets["/track/click", "2.5"] == 0
    assert buckets["/track/click", "+Inf"] == 1


def test_names_that_callers_make_up_are_bounded() -> None:
    metrics = fresh()
    many = range(3 * MAX_VALUES)
    metrics.recorded([Event("u", "click", model=f"m{at}", variant=f"v{at}") for at in many])
    counts = samples(metrics, "nightshelf_events_total")
    assert len(counts) == MAX_VALUES + 1
    assert counts["click", "other", "other"] == 2 * MAX_VALUES
    metrics.served("/recommendations", 200, 0.1, model="als", source="list")
    assert ("/recommendations", "als", "list", "200") in samples(
        metrics, "nightshelf_requests_total"
    )
    metrics.recorded([Event("u", "click", model="m0")])  # known once, known for good
    assert samples(metrics, "nightshelf_events_total")["click", "m0", ""] == 1


EVENTS = st.builds(
    Event,
    st.just("u"),
    st.sampled_from(["click", "impression", "purchase"]),
    value=st.none() | st.integers(0, 50),
    variant=st.sampled_from([None, "a", "b"]),
    position=st.none() | st.integers(1, 40),
    event_id=st.sampled_from("0123456789"),
)


@given(st.lists(EVENTS))
def test_each_event_counts_once(sent: list[Event]) -> None:
    metrics = fresh()
    for event in sent:
        metrics.recorded([event])
    first = {event.event_id: event for event in reversed(sent)}.values()
    assert samples(metrics, "nightshelf_events_total") == Counter(
        (event.event_type, "", event.variant or "") for event in first
    )
    assert samples(metrics, "nightshelf_events_by_position_total") == Counter(
        (event.event_type, str(event.position) if event.position <= 20 else "over 20")
        for event in first
        if event.position
    )
    sold = [event.value or 0 for event in first if event.event_type == "purchase"]
    assert sum(samples(metrics, "nightshelf_revenue_total").values()) == sum(sold)


def test_what_the_shelf_counts_is_read_and_not_counted_again(
    redis_client: Redis, redis_url: str
) -> None:
    publish(redis_client)

    async def use(shelf: AsyncShelf, metrics: Metrics, _: Clock) -> None:
        for user in ("ann", "ann", "eve"):
            await shelf.get(user)
        met, status = shelf.counters(), await shelf.status()
        assert samples(metrics, "nightshelf_answers_total") == {("list",): 2, ("popular:all",): 1}
        tiers = {("process",): met.hits, ("redis",): met.redis_hits}
        assert samples(metrics, "nightshelf_cache_hits_total") == tiers
        # Ann's list and everyone's came from Redis; it has neither a list nor a row of Eve's.
        assert (met.redis_hits, met.redis_misses) == (2, 2)
        assert samples(metrics, "nightshelf_cache_misses_total")["redis",] == 2
        assert samples(metrics, "nightshelf_generation") == {(): 1}
        assert samples(metrics, "nightshelf_models_left_out") == {(): 0}
        (age_s,) = samples(metrics, "nightshelf_generation_age_seconds").values()
        assert status.age_s is not None
        assert abs(age_s - status.age_s) < 5
        assert status.live is not None
        until = status.live.whole_until
        assert until is not None
        (left_s,) = samples(metrics, "nightshelf_keys_expire_seconds").values()
        assert abs(left_s - (until - datetime.now(UTC)).total_seconds()) < 5
        for name in ("coverage", "diversity"):
            of_night = status.live.metrics.get(name)
            shown = {} if of_night is None else {(): of_night}
            assert samples(metrics, f"nightshelf_{name}_ratio") == shown
        assert samples(metrics, "nightshelf_breaker_open") == {(): 0}
        assert set(samples(metrics, "nightshelf_redis_failures_total").values()) == {0}

    with_metrics(redis_url, use)


def test_a_process_that_is_asked_for_nothing_knows_of_a_flip(
    redis_client: Redis, redis_url: str
) -> None:
    publish(redis_client)

    async def use(_: AsyncShelf, metrics: Metrics, clock: Clock) -> None:
        await metrics.render()
        assert samples(metrics, "nightshelf_generation") == {(): 1}
        publish(redis_client)
        clock.now_s += 1
        await metrics.render()
        assert samples(metrics, "nightshelf_generation") == {(): 2}
        redis_client.delete(Keys(SHOP).current)
        clock.now_s += 1
        await metrics.render()
        assert samples(metrics, "nightshelf_generation") == {}
        assert samples(metrics, "nightshelf_models_left_out") == {}
        assert samples(metrics, "nightshelf_generation_age_seconds") == {}
        assert samples(metrics, "nightshelf_redis_failures_total")["missing",] == 1

    with_metrics(redis_url, use)


def test_without_redis_there_are_figures_all_the_same(dead_url: str) -> None:
    async def use(_: AsyncShelf, metrics: Metrics, __: Clock) -> None:
        for _attempt in range(3):
            await metrics.render()
        assert samples(metrics, "nightshelf_breaker_open") == {(): 1}
        assert samples(metrics, "nightshelf_redis_failures_total")["refused",] == 3
        assert samples(metrics, "nightshelf_generation") == {}

    with_metrics(dead_url, use)


def test_the_text_is_prometheus_own() -> None:
    async def use(_: AsyncShelf, metrics: Metrics, __: Clock) -> tuple[bytes, str]:
        metrics.served("/a", 200, 0.1, model='"odd"\n', source=None)
        return await metrics.render()

    text, media_type = with_metrics(NOWHERE, use)
    assert media_type == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert families["nightshelf_requests"].samples[0].labels["model"] == '"odd"\n'
    for name, family in families.items():
        assert name.startswith(("nightshelf_", "process_")), name
        assert family.documentation, name
        assert not name.endswith("_created"), name
