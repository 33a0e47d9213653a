"""Prometheus metrics of the service and of its client.

Names begin with `nightshelf_` and follow Prometheus' conventions (base units, `_total`); a label
that does not apply is empty. Labels are bounded, and so is the number of series.
"""

from collections.abc import Sequence
from typing import Literal

from cachetools import TTLCache
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from nightshelf.client.async_shelf import AsyncShelf
from nightshelf.client.event import Event
from nightshelf.client.results import Result, source_kind
from nightshelf.contract.feature_rules import PURCHASE
from nightshelf.service.shelf_collector import ShelfCollector

#: Distinct values of a label that callers choose; further ones are `OTHER`.
MAX_VALUES = 16
OTHER = "other"
#: Positions counted one by one: two pages of a shop.
MAX_POSITION = 20
#: Ids of counted events (15 MB); a caller repeats an event within minutes.
_MAX_IDS, _ID_TTL_S = 50_000, 600
#: From a cached result to the deadline of a client (0.05) and beyond.
_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """Metrics of one process, for one event loop."""

    def __init__(self, shelf: AsyncShelf) -> None:
        # Without a second series for the start time of each.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._shelf = shelf
        self.registry = registry = CollectorRegistry()
        self._requests = _counter(
            registry,
            "requests",
            "Requests, by path template, status, model and kind of source.",
            ("endpoint", "status", "model", "source"),
        )
        self._seconds = Histogram(
            "nightshelf_request_duration_seconds",
            "Time from a request's first byte to its answer's last.",
            ("endpoint",),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        events = "Events recorded, each once."
        self._events = _counter(registry, "events", events, ("event", "model", "variant"))
        assigned = "Lists served to users in an experiment, testers' apart."
        names = ("experiment", "variant")
        self._assigned = _counter(registry, "assigned", assigned, names)
        lost = "Events sent and not recorded, by cause; `share`: too many of that caller wait."
        self._not_recorded = _counter(registry, "events_not_recorded", lost, ("cause",))
        waiting = "Events that wait in Redis to be collected."
        self._waiting = Gauge("nightshelf_events_waiting", waiting, registry=registry)
        places = "Events that name the position of their item, from 1."
        self._positions = _counter(registry, "events_by_position", places, ("event", "position"))
        sold = "Events of the types that the live generation counts as purchases."
        self._conversions = _counter(registry, "conversions", sold, ("model", "variant"))
        revenue = "Value of the purchases, in the shop's currency."
        self._revenue = _counter(registry, "revenue", revenue, ("model", "variant"))
        dropped = "Connections ended: `full` for a newer one, `slow` as the peer took too long."
        self._dropped = _counter(registry, "connections_dropped", dropped, ("why",))
        registry.register(ShelfCollector(shelf))
        ProcessCollector(registry=registry)
        # Separate, so that callers' names cannot displace served ones.
        self._served_model = _Bounded(MAX_VALUES)
        self._model, self._variant = _Bounded(MAX_VALUES), _Bounded(MAX_VALUES)
        self._experiment, self._assigned_to = _Bounded(MAX_VALUES), _Bounded(MAX_VALUES)
        # Finding a series by its labels costs more than adding to it.
        self._served: dict[tuple[str, int, str, str], tuple[Counter, Histogram]] = {}
        self._counted: TTLCache[str, None] = TTLCache(_MAX_IDS, _ID_TTL_S)

    def served(
        self, endpoint: str, status: int, seconds: float, *, model: str | None, source: str | None
    ) -> None:
        """Count a request; `endpoint` is a path template, `source` as `Result` has it."""
        labels = (endpoint, status, self._served_model(model), source_kind(source or ""))
        series = self._served.get(labels)
        if series is None:
            series = self._requests.labels(*labels), self._seconds.labels(endpoint)
            self._served[labels] = series
        requests, durations = series
        requests.inc()
        durations.observe(seconds)

    def assigned(self, result: Result) -> None:
        """Count a list by the variant that its user is in, if any."""
        if result.experiment is not None and not result.forced:
            names = self._experiment(result.experiment), self._assigned_to(result.variant)
            self._assigned.labels(*names).inc()

    def refused(self, status: int) -> None:
        """Count a request refused before the app."""
        self._requests.labels(OTHER, status, "", "").inc()

    def dropped(self, why: Literal["full", "slow"]) -> None:
        """Count a connection ended by the service."""
        self._dropped.labels(why).inc()

    def recorded(
        self,
        events: Sequence[Event],
        purchases: Sequence[str] = (PURCHASE,),
        unknown: Sequence[str] = (),
    ) -> None:
        """Count recorded events, each id once within ten minutes.

        The values of `purchases` are revenue. Types `unknown` to the live generation are `OTHER`.
        """
        for event in events:
            if event.event_id in self._counted:
                continue
            self._counted[event.event_id] = None
            kind = OTHER if event.event_type in unknown else event.event_type
            model, variant = self._model(event.model), self._variant(event.variant)
            self._events.labels(kind, model, variant).inc()
            if event.position is not None:
                self._positions.labels(kind, _place(event.position)).inc()
            if event.event_type in purchases:
                self._conversions.labels(model, variant).inc()
                self._revenue.labels(model, variant).inc(event.value or 0)

    def not_recorded(self, cause: str, n: int) -> None:
        """Count events that were sent and not recorded."""
        self._not_recorded.labels(cause).inc(n)

    async def render(self) -> tuple[bytes, str]:
        """Return all metrics in Prometheus' text format, and its content type.

        Refreshes the pointer first, so that an idle process reports the live generation.
        """
        await self._shelf.item_features(())
        self._waiting.set(await self._shelf.n_waiting() or 0)
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4


class _Bounded:
    """Label values: the first `limit` distinct ones, then `OTHER`; `None` is empty."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, value: str | None) -> str:
        if value is None or value in self._known:
            return value or ""
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(value)
        return value


def _counter(registry: CollectorRegistry, name: str, about: str, labels: Sequence[str]) -> Counter:
    return Counter(f"nightshelf_{name}", about, labels, registry=registry)


def _place(position: int) -> str:
    return str(position) if position <= MAX_POSITION else f"over {MAX_POSITION}"
