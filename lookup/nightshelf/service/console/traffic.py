"""Figures of the requests that this process has served, from its own metrics."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from nightshelf.client.results import Counters
from nightshelf.service.metrics import Metrics

#: Endpoints that answer out of Redis, as in deploy/prometheus/rules.yml.
_LISTS = ("/recommendations", "/similar", "/popular", "/users", "/items")


@dataclass(frozen=True)
class Traffic:
    """Requests since the process began, and shares of 0 to 1; `None` where none is known.

    `hits` gives the share of values found and the number asked for, by tier: of the cache in the
    process, and of Redis. `fallback_share` is of users' own pages, over `n_pages`. `events` counts
    tracked events by type.
    """

    n_requests: int
    p50_s: float | None
    p95_s: float | None
    n_errors: int
    hits: Mapping[str, tuple[float | None, int]]
    fallback_share: float | None
    n_pages: int
    events: Mapping[str, int]


def traffic(metrics: Metrics, counters: Counters) -> Traffic:
    """Return the figures of a process."""
    buckets: Counter[float] = Counter()
    sources: Counter[str] = Counter()
    events: Counter[str] = Counter()
    n_requests = n_errors = 0
    for family in metrics.registry.collect():
        for sample in family.samples:
            labels, value = sample.labels, int(sample.value)
            listed = labels.get("endpoint", "").startswith(_LISTS)
            if sample.name == "nightshelf_request_duration_seconds_bucket" and listed:
                buckets[float(labels["le"])] += value
            elif sample.name == "nightshelf_requests_total" and listed:
                n_requests += value
                n_errors += value if labels["status"].startswith("5") else 0
                if labels["endpoint"].startswith("/recommendations") and labels["source"]:
                    sources[labels["source"]] += value
            elif sample.name == "nightshelf_events_total":
                events[labels["event"]] += value
    n_pages = sources.total()
    return Traffic(
        n_requests,
        quantile(buckets, 0.5),
        quantile(buckets, 0.95),
        n_errors,
        {
            "process": _share(counters.hits, counters.misses),
            "redis": _share(counters.redis_hits, counters.redis_misses),
        },
        (n_pages - sources["list"]) / n_pages if n_pages else None,
        n_pages,
        events,
    )


def quantile(buckets: Mapping[float, int], q: float) -> float | None:
    """Return a quantile of a histogram of cumulative counts by upper bound, as Prometheus does.

    Linear within a bucket; the highest finite bound where it lies beyond that.

    >>> quantile({0.1: 50, 0.2: 100, math.inf: 100}, 0.75)
    0.15
    """
    total = buckets.get(math.inf, 0)
    if not total:
        return None
    low, below = 0.0, 0
    for bound, count in sorted(buckets.items()):
        if count >= q * total:
            if bound == math.inf:
                return low
            return round(low + (bound - low) * (q * total - below) / (count - below), 9)
        low, below = bound, count
    return low


def _share(hits: int, misses: int) -> tuple[float | None, int]:
    asked = hits + misses
    return (hits / asked if asked else None), asked
