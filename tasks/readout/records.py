"""A readout, and the figures in it, as they are printed, saved and drawn."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tasks.readout.sums import Cut
from tasks.statistics.best import Posterior
from tasks.statistics.compare import Comparison
from tasks.statistics.sample_ratio import SampleRatio

Role = Literal["primary", "secondary", "guardrail"]
Outcome = Literal["better", "worse", "no difference found", "undecided"]


@dataclass(frozen=True)
class Value:
    """A metric of one variant, with its 95 % interval; users of all phases together."""

    metric: str
    variant: str
    users: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """A metric of a variant compared with the control.

    `adjusted` is the same with CUPED, `p_holm` its p (or the plain one's) corrected for all
    variants and metrics. Several phases are compared each by itself, and weighted by their users.
    """

    metric: str
    role: Role
    variant: str
    plain: Comparison
    adjusted: Comparison | None
    p_holm: float | None = None

    @property
    def best(self) -> Comparison:
        """The comparison that verdicts are by: with CUPED where there is a past."""
        return self.adjusted or self.plain


@dataclass(frozen=True)
class Verdict:
    """Outcome for one variant and the primary metric, by the spending rule.

    `fraction` is the share of the planned users that have come, `z` the statistic at the look that
    decided, or at the last one, and `bound` what |z| had to reach there. `low` to `high` holds the
    difference at this and all other looks; it is infinite (`None`) at the first of them.
    """

    variant: str
    outcome: Outcome
    look: str
    fraction: float
    planned_per_variant: int
    z: float
    bound: float | None
    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Guardrail:
    """Difference of a guardrail metric within a confidence sequence; `breached` if all is worse."""

    metric: str
    variant: str
    difference: float
    low: float
    high: float
    breached: bool


@dataclass(frozen=True)
class Part:
    """The primary metric in one part of the users: a phase, a segment, a day after the first."""

    kind: Literal["phase", "segment", "day"]
    part: str
    variant: str
    users: int
    difference: float
    low: float | None
    high: float | None
    lift: float | None


@dataclass(frozen=True)
class Belief:
    """Bayesian view of a variant's rate, of the primary metric or the first that is a share."""

    metric: str
    variant: str
    posterior: Posterior


@dataclass(frozen=True)
class Readout:
    """All that a log says of an experiment up to an instant.

    Without `valid` users are not divided as they should be (`sample_ratios`), and there is no
    verdict. `segments` and days are exploratory: nothing corrects for looking at many of them.
    """

    experiment: str
    hypothesis: str
    control: str
    since: str
    until: str
    valid: bool
    users: Mapping[str, int]
    n_exposures: int
    n_waiting: int
    n_crossed: int
    cuts: tuple[Cut, ...]
    sample_ratios: tuple[SampleRatio, ...]
    values: tuple[Value, ...]
    figures: tuple[Figure, ...]
    verdicts: tuple[Verdict, ...]
    guardrails: tuple[Guardrail, ...]
    beliefs: tuple[Belief, ...]
    parts: tuple[Part, ...]
    sentences: tuple[str, ...] = ()

    @property
    def breached(self) -> tuple[Guardrail, ...]:
        """Guardrails of which all of the confidence sequence is worse than the control."""
        return tuple(each for each in self.guardrails if each.breached)

    def document(self) -> dict[str, Any]:
        """Return the readout as plain values, for JSON."""
        found = asdict(self)
        for ratio, plain in zip(self.sample_ratios, found["sample_ratios"], strict=True):
            plain["failed"] = ratio.failed
        return found
