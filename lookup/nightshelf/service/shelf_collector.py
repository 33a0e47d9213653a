"""The figures that a shelf keeps by itself, read when Prometheus asks for them."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nightshelf.client.async_shelf import AsyncShelf
from nightshelf.client.core.failures import CAUSES
from nightshelf.client.results import Counters


class ShelfCollector(Collector):
    """Nothing is counted here a second time."""

    def __init__(self, shelf: AsyncShelf) -> None:
        self._shelf = shelf

    def collect(self) -> Iterable[Metric]:
        """Return the shelf's figures as they are now."""
        met = self._shelf.counters()
        yield from _counts(met)
        yield from _state(met)


def _counts(met: Counters) -> Iterator[Metric]:
    hits = {"process": met.hits, "redis": met.redis_hits}
    misses = {"process": met.misses, "redis": met.redis_misses}
    causes = dict.fromkeys(CAUSES, 0) | dict(met.causes)
    yield _by("source", "answers", "Lists given, by kind of source.", met.sources)
    yield _by("tier", "cache_hits", "Values that were there, by tier.", hits)
    yield _by("tier", "cache_misses", "Values that were not there, by tier.", misses)
    yield _by("cause", "redis_failures", "What Redis did not give, by cause.", causes)
    unknown = "Actions told of types that the live night makes nothing of."
    yield CounterMetricFamily("nightshelf_unknown_actions", unknown, value=met.unknown_actions)
    stale = "Copies that served though their time was up, as Redis failed."
    yield CounterMetricFamily("nightshelf_cache_stale", stale, value=met.stale)


def _state(met: Counters) -> Iterator[Metric]:
    yield _gauge("cache_entries", "Copies kept in the process.", met.entries)
    yield _gauge("cache_bytes", "Memory that they take, about.", met.n_bytes)
    yield _gauge(
        "breaker_open", "1 while Redis is hardly asked, as it kept failing.", met.breaker_open
    )
    yield _gauge("generation", "Number of the live generation.", met.generation)
    yield _gauge("generation_age_seconds", "Since the live generation was published.", met.age_s)


def _by(label: str, name: str, about: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"nightshelf_{name}", about, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _gauge(name: str, about: str, value: float | None) -> Metric:
    """Return a gauge; without a sample where the value is not known."""
    return GaugeMetricFamily(f"nightshelf_{name}", about, value=value)
