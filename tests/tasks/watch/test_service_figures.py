"""Figures of /metrics: differences, restarts, quantiles."""

import random
from bisect import bisect_left
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tasks.watch.service_figures import Scraped, quantile, scrape, service_figures
from tasks.watch.settings import WatchSettings
from tests.tasks.watch.shop import Metrics

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def scraped(*processes: Metrics) -> Scraped:
    """Read the metrics of several processes over HTTP."""
    opened = [each.open() for each in processes]
    addresses = [each.__enter__() for each in opened]
    try:
        found = scrape(WatchSettings(services=tuple(addresses), service_key=SecretStr("k3y")))
    finally:
        for each in opened:
            each.__exit__(None, None, None)
    ports = [f"p{number}" for number, _ in enumerate(addresses)]
    renamed = dict(zip(addresses, ports, strict=True))
    return Scraped(
        {renamed[a]: sums for a, sums in found.sums.items()},
        {renamed[a]: why for a, why in found.failed.items()},
    )


def test_figures_are_of_what_was_counted_between_two_passes() -> None:
    one, two = Metrics(), Metrics()
    one.count(5000, errors=4000, fallbacks=900)
    two.count(100)
    before = scraped(one, two)
    one.count(1000, errors=10, fallbacks=200)
    two.count(1000, fallbacks=100, slow=100)
    figures = service_figures(scraped(one, two), before.sums, NOW)
    values = {name: figure.value for name, figure in figures.items()}
    assert values["error_rate"] == pytest.approx(10 / 2000)
    assert values["fallback_share"] == pytest.approx(300 / 1990)
    assert values["hit_rate"] == pytest.approx(1 - 300 / 2000)
    assert values["process_hit_rate"] == pytest.approx(0.5)
    assert values["p95"] == pytest.approx(0.005)
    assert values["services_down"] == 0
    assert figures["error_rate"].sample == 2000


def test_a_restarted_process_counts_anew() -> None:
    old = Metrics()
    old.count(9000, errors=9000)
    before = scraped(old)
    new = Metrics()
    new.count(200, errors=2)
    assert service_figures(scraped(new), before.sums, NOW)["error_rate"].value == 0.01


def test_a_restart_that_has_counted_more_is_seen_by_its_start() -> None:
    old, new = Metrics(), Metrics()
    old.count(100, errors=1)
    new.count(500, errors=5)
    before = {"p0": {**scraped(old).sums["p0"], "start": 1.0}}
    figure = service_figures(scraped(new), before, NOW)["error_rate"]
    assert (figure.value, figure.sample) == (0.01, 500)


def test_processes_that_do_not_answer() -> None:
    down, locked, well = Metrics(up=False), Metrics(key="another"), Metrics()
    found = scraped(down, locked, well)
    figure = service_figures(found, {}, NOW)["services_down"]
    assert figure.value == pytest.approx(2 / 3)
    assert "p0: answers 500" in figure.says
    assert "p1: answers 401: watch.service_key needs the scope admin" in figure.says
    assert service_figures(found, {}, NOW)["p95"].value is None
    nobody = scrape(WatchSettings(services=("http://127.0.0.1:1",), timeout_s=1))
    assert "refused" in nobody.failed["http://127.0.0.1:1"]


BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, float("inf"))


@given(st.integers(0, 10**6), st.integers(1, 400), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(seed: int, n: int, q: float) -> None:
    generator = random.Random(seed)
    times = sorted(generator.expovariate(20) for _ in range(n))
    counts = {bound: float(sum(each <= bound for each in times)) for bound in BOUNDS}
    found = quantile(counts, q)
    assert found is not None
    true = next(each for number, each in enumerate(times, 1) if number >= q * n)
    at = bisect_left(BOUNDS, true)
    low = BOUNDS[at - 1] if at else 0.0
    assert low <= found <= min(BOUNDS[at], BOUNDS[-2])


def test_a_quantile_of_nothing_is_unknown() -> None:
    assert quantile(dict.fromkeys(BOUNDS, 0.0), 0.95) is None
    assert quantile({}, 0.95) is None
