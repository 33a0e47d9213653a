"""The overview in a browser: figures with their sources, what to do next, alerts."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry, Histogram
from redis import Redis

from nightshelf.admin.incidents import write_pass
from nightshelf.admin.lifecycle import pin
from nightshelf.contract.incident import Incident, Reading, WatchPass
from nightshelf.service.console.traffic import quantile
from tests.console.browser import Visit
from tests.console.conftest import KEYS
from tests.console.shop import EVIL
from tests.lookup.service.serving import Server
from tests.lookup.shelves import SHOP, aged, staged

NOW = datetime.now(UTC)
INCIDENT = Incident(
    id="ctr-1",
    rule="ctr",
    level="critical",
    since=NOW.isoformat(),
    says=f"CTR is 2 % {EVIL}",
    changed=(f"item {EVIL} is new",),
    advice=f"Look at {EVIL}",
    runbook="docs/runbook.md#ctr",
)


def card(visit: Visit, name: str) -> str:
    """Return the text of a figure's card."""
    return visit.page.locator(".figure", has=visit.page.get_by_text(name, exact=True)).inner_text()


def test_figures_say_what_they_are_of(reader: Visit, console: Server) -> None:
    headers = {"Authorization": f"Bearer {KEYS['rita-reader']}"}
    for user in ("ann", "ann", "bob", "stranger"):
        httpx.get(f"{console.url}/recommendations/{user}", headers=headers)
    reader.go("")
    assert "as of generation 2, 2026-03-03" in card(reader, "Catalogue coverage")
    assert "60 %" in card(reader, "Catalogue coverage")
    assert "as of this process, since" in card(reader, "Latency, p95")
    assert "ms" in card(reader, "Latency, median")
    pages = card(reader, "Fallback share")
    assert re.search(r"\d %\nof \d+ users' pages", pages)
    assert "1 warned" in card(reader, "Gates")
    assert f"Better than popularity {EVIL}" in reader.text
    for each in reader.page.locator(".figure").all_inner_texts():
        assert "as of" in each


def test_what_is_wrong_stands_first(reader: Visit, client: Redis) -> None:
    aged(client, 40)
    pin(client, SHOP, 2)
    staged(client, 3, gates={"coverage_ratio": "block"})
    figures = (Reading("ctr", 0.02, "critical", f"CTR 2 % {EVIL}", as_of=NOW.isoformat()),)
    write_pass(client, SHOP, WatchPass(NOW.isoformat(), figures), [INCIDENT])
    reader.go("")
    advice = reader.page.locator("section .notice").all_inner_texts()
    assert [each.split("\n")[0] for each in advice] == [
        f"critical CTR is 2 % {EVIL}",
        "critical Generation 2 was made 1 d 16 h ago, and no newer is live.",
        "critical Keys of generation 2 may expire by now, before the next night.",
        "warning Generation 3 was blocked by coverage ratio.",
        "warning Pinned to generation 2: no night goes live.",
    ]
    assert "docs/runbook.md#ctr" in advice[0] and f"Look at {EVIL}" in advice[0]
    assert "Extend" not in advice[2] and not reader.page.locator("section a[href*=act]").count()
    assert "1 open" in reader.text and f"item {EVIL} is new" in reader.text
    reader.pictures("overview-wrong")
    reader.page.click("section >> text=Compare it with the live one")
    assert reader.page.url.endswith("generation?number=3")


def test_a_watch_that_stopped_is_told(reader: Visit, client: Redis) -> None:
    long_ago = (NOW - timedelta(hours=2)).isoformat()
    write_pass(client, SHOP, WatchPass(long_ago, ()), [])
    reader.go("")
    assert "The watch last passed 2 h" in reader.text
    client.set(f"shelf:{{{SHOP}}}:watch", "nonsense")
    reader.go("")
    assert "No watch has run yet" in reader.text


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95])
def test_quantiles_are_within_the_bucket_of_the_true_one(q: float) -> None:
    bounds, values = (0.1, 0.2, 0.5, 1.0), [at / 100 for at in range(1, 100)]
    registry = CollectorRegistry()
    histogram = Histogram("seconds", "", buckets=bounds, registry=registry)
    for value in values:
        histogram.observe(value)
    samples = [each for family in registry.collect() for each in family.samples]
    buckets = {float(s.labels["le"]): int(s.value) for s in samples if s.name == "seconds_bucket"}
    found = quantile(buckets, q)
    assert found is not None and abs(found - values[int(q * len(values))]) < 0.02
    assert quantile({}, q) is None
