"""Users of an experiment drawn day by day, as the sums that a log would give."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from tasks.experiments.definition import Definition, Metric, WeightedVariant
from tasks.readout.judge import judge
from tasks.readout.measures import Counted
from tasks.readout.records import Readout
from tasks.readout.settings import ReadoutSettings
from tasks.readout.sums import AgeRow, Row, Sums
from tests.tasks.statistics.users import moments_of

START = datetime(2026, 3, 2, tzinfo=UTC)
DEFINITION = Definition(
    id="exp",
    hypothesis="b sells more",
    variants=(WeightedVariant("a", "blend"), WeightedVariant("b", "als")),
    start=START,
    status="running",
    secondary=(Metric.named("ctr"),),
    guardrails=(Metric.named("revenue"),),
)
COUNTED = Counted(DEFINITION.metrics, {})
EVEN = {1: {"a": 0.5, "b": 0.5}}


def day_of_users(
    rng: np.random.Generator,
    variant: str,
    day: int,
    n: int,
    rate: float,
    *,
    phase: int = 1,
    segment: str = "unknown",
    paid: float = 20.0,
) -> Row:
    """Draw the users whom a variant is first shown to on a day; their past tells of their rate."""
    taste = rng.gamma(4.0, 0.25, n)
    shown, pre_shown = rng.poisson(8, n) + 1, rng.poisson(8, n)
    bought, pre_bought = (rng.random(n) < np.minimum(1, each * taste) for each in (rate, 0.05))
    return Row(
        phase,
        variant,
        (START + timedelta(days=day)).date(),
        segment,
        is_returning=False,
        moments=moments_of(
            shown=shown,
            m0=bought,
            m1=rng.binomial(shown, np.minimum(1, 0.1 * taste)),
            m2=bought * rng.poisson(paid, n),
            pre_shown=pre_shown,
            pre_m0=pre_bought,
            pre_m1=rng.binomial(pre_shown, np.minimum(1, 0.1 * taste)),
            pre_m2=pre_bought * rng.poisson(20, n),
        ),
    )


def two_weeks(seed: int, n: int, rates: tuple[float, float], **more: float) -> list[Row]:
    """Return fourteen days of so many users a day and variant."""
    rng = np.random.default_rng(seed)
    return [
        day_of_users(rng, name, day, n, rate, **(more if name == "b" else {}))  # type: ignore[arg-type]
        for day in range(14)
        for name, rate in zip("ab", rates, strict=True)
    ]


def judged(
    rows: Sequence[Row],
    definition: Definition = DEFINITION,
    shares: dict[int, dict[str, float]] = EVEN,
    settings: ReadoutSettings = ReadoutSettings(),  # noqa: B008
    harmful: frozenset[str] = frozenset(),
) -> Readout:
    """Judge rows as a readout of two weeks does."""
    counted = Counted(definition.metrics, {}, harmful)
    n = sum(row.moments.n for row in rows)
    ages = tuple(AgeRow(row.variant, 0, row.moments) for row in rows[:2])
    sums = Sums(tuple(rows), ages, 9 * n, 0, 0, ())
    span = (START, START + timedelta(days=15))
    return judge(definition, counted, sums, shares, span, settings)
