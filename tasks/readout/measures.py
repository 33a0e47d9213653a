"""Metrics of a definition as variables of a user, and the event types that they count."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.experiments.definition import Metric
from tasks.statistics.metrics import Measure
from tasks.statistics.moments import Pair, pair

#: Variables of impressions, after and before the first exposure.
SHOWN, PRE_SHOWN = "shown", "pre_shown"
#: Variables of a metric of kind "mean" are summed in ten-thousandths.
UNIT = 10_000.0


@dataclass(frozen=True)
class Counted:
    """Metrics to compute, the primary first, and the night's event types behind their names.

    `roles` gives the types that count as "purchase" or "click"; any other type is itself. Of types
    that are `harmful` (negative in the night's weights) fewer are better.
    """

    metrics: tuple[Metric, ...]
    roles: Mapping[str, tuple[str, ...]]
    harmful: frozenset[str] = frozenset()

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The metrics as variables of a user: `m0`, `pre_m0` and so on, in their order."""
        return tuple(
            Measure(each.name, each.kind, f"m{at}", f"pre_m{at}", *_denominator(each))
            for at, each in enumerate(self.metrics)
        )

    def types(self) -> Iterator[tuple[int, str, str]]:
        """Yield position, kind and event type of each metric, a row for each type."""
        for at, each in enumerate(self.metrics):
            named = each.event or each.name
            for event_type in self.roles.get(named, (named,)):
                yield at, each.kind, event_type

    def sign(self, metric: Metric) -> int:
        """Return 1 where more is better, -1 where less is."""
        return -1 if metric.event in self.harmful else 1

    @property
    def units(self) -> dict[str, float]:
        """Variables of money, with their unit."""
        money = (each for each in self.measures if each.kind == "mean")
        return {name: UNIT for each in money for name in (each.value, each.before)}


def products(measures: Iterable[Measure], variables: Sequence[str]) -> list[Pair]:
    """Return the products that the measures' variances take, of those variables alone."""
    found = {pair(a, b) for each in measures for a in each.variables for b in each.variables}
    return sorted(each for each in found if {*each} <= {*variables})


def _denominator(metric: Metric) -> tuple[str, ...]:
    return (SHOWN, PRE_SHOWN) if metric.kind == "ratio" else ()
