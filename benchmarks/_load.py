"""Results of a load: each answer, when it was due and done, and its source."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

#: A generator that had more than this of a CPU may have been late itself.
_SUSPECT = 0.8


class Verdict(NamedTuple):
    """One answer; `fault` is empty if it is right."""

    fault: str
    source: str = ""
    kept: bool = False
    generation: int = 0

    @property
    def is_fresh(self) -> bool:
        """The answer is the user's own list, just read from Redis."""
        return self.source == "list" and not self.kept


class Answer(NamedTuple):
    """One request: when it was due and when it was done with, by the system's monotonic clock."""

    due_s: float
    done_s: float
    verdict: Verdict


@dataclass(frozen=True)
class Load:
    """Results of a run; `cpu_share` is the generator's own, of one CPU."""

    answers: Sequence[Answer]
    seconds: float
    cpu_share: float

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds

    def faults(self) -> Counter[str]:
        """Count what was not as it should be, by kind."""
        return Counter(each.verdict.fault for each in self.answers if each.verdict.fault)

    def generations(self) -> set[int]:
        """Return which there were."""
        return {each.verdict.generation for each in self.answers}

    def between(self, began_s: float, ended_s: float) -> "Load":
        """Return the part that was due between two instants."""
        part = [each for each in self.answers if began_s <= each.due_s < ended_s]
        return Load(part, ended_s - began_s, self.cpu_share)

    def words(self) -> str:
        """Say latencies and faults, and whether they are to be believed."""
        p50, p99, p999 = (self.percentile_ms(share) for share in (0.5, 0.99, 0.999))
        faults = self.faults()
        mixed = faults.pop("mixed", 0)
        kinds = f" {dict(faults)}" if faults else ""
        others = sum(each.verdict.source != "list" for each in self.answers) / len(self.answers)
        return (
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, p99.9 {p999:.1f} ms; "
            f"{faults.total()} errors{kinds}, {mixed} mixed of {len(self.answers):,} "
            f"at {self.per_s:,.0f} a second, {others:.1%} by a fallback "
            f"({generators(self.cpu_share)})"
        )

    def percentile_ms(self, share: float) -> float:
        """Return the latency that a share of all answers kept to, failed ones included."""
        ordered = sorted(each.done_s - each.due_s for each in self.answers)
        return 1e3 * ordered[math.ceil(share * len(ordered)) - 1]


def generators(share: float) -> str:
    """Say how busy the generator was."""
    return f"generator's CPU {share:.0%}" + (": suspect" if share > _SUSPECT else "")
