"""Metrics of the client's own counters, read at each scrape."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nightshelf.client.async_shelf import AsyncShelf
from nightshelf.client.core.failures import CAUSES
from nightshelf.client.results import Counters


class ShelfCollector(Collector):
    """Collector of `nightshelf.Counters`."""

    def __init__(self, shelf: AsyncShelf) -> None:
        self._shelf = shelf

    def collect(self) -> Iterable[Metric]:
        """Return the current counters as metrics."""
        counters = self._shelf.counters()
        yield from _counts(counters)
        yield from _state(counters)


def _counts(counters: Counters) -> Iterator[Metric]:
    hits = {"process": counters.hits, "redis": counters.redis_hits}
    misses = {"process": counters.misses, "redis": counters.redis_misses}
    causes = dict.fromkeys(CAUSES, 0) | dict(counters.causes)
    yield _by("source", "answers", "Lists returned, by kind of source.", counters.sources)
    yield _by("tier", "cache_hits", "Values found, by tier.", hits)
    yield _by("tier", "cache_misses", "Values not found, by tier.", misses)
    yield _by("cause", "redis_failures", "Failed reads of Redis, by cause.", causes)
    unknown = "Actions of types that the live generation does not define."
    yield CounterMetricFamily("nightshelf_unknown_actions", unknown, value=counters.unknown_actions)
    stale = "Stale cache entries served while Redis failed."
    yield CounterMetricFamily("nightshelf_cache_stale", stale, value=counters.stale)


def _state(counters: Counters) -> Iterator[Metric]:
    yield _gauge("cache_entries", "Entries of the cache.", counters.entries)
    yield _gauge("cache_bytes", "Estimated memory of the cache.", counters.n_bytes)
    yield _gauge("breaker_open", "1 while the circuit breaker is open.", counters.breaker_open)
    yield _gauge("generation", "Number of the live generation.", counters.generation)
    left_out = "Models of running experiments that the live generation lacks."
    yield _gauge("models_left_out", left_out, counters.models_left_out)
    age = "Age of the live generation since publication."
    yield _gauge("generation_age_seconds", age, counters.age_s)
    expire = "Time until the first key of the live generation can expire."
    yield _gauge("keys_expire_seconds", expire, counters.keys_expire_s)
    coverage = "Share of the available items in the lists of the live generation's night."
    yield _gauge("coverage_ratio", coverage, counters.coverage)
    diversity = "Category diversity of the lists of the live generation's night, 0 to 1."
    yield _gauge("diversity_ratio", diversity, counters.diversity)


def _by(label: str, name: str, about: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"nightshelf_{name}", about, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _gauge(name: str, about: str, value: float | None) -> Metric:
    """Return a gauge; without a sample where the value is not known."""
    return GaugeMetricFamily(f"nightshelf_{name}", about, value=value)
