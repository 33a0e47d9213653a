"""Health of a namespace in one line: something is live, and it is of the last night."""

from collections.abc import Mapping

from nightshelf.contract.values import Manifest
from nightshelf.doctor.finding import Finding
from nightshelf.text import age_text

#: Nights that may pass until a generation is too old: one, and a quarter for one that is late.
LATE = 1.25
#: The same for one night a day.
MAX_AGE_H = LATE * 24
HOUR_S = 3600
SEE = "see the last run in Prefect, and docs/how-to/when-a-night-fails.md"


def too_old(generation: int, age_s: float | None, max_age_s: float) -> str | None:
    """Say that a generation is older than it may be; `None` where it is not."""
    if age_s is None or age_s <= max_age_s:
        return None
    return (
        f"generation {generation} was made {age_text(age_s)} ago, and no newer one is live "
        f"(allowed: {age_text(max_age_s)})"
    )


def stale(live: Manifest, age_s: float | None, max_age_h: float) -> str | None:
    """Say that what is live is older than it may be, and what to do; `None` where it is not."""
    old = too_old(live.generation, age_s, max_age_h * HOUR_S)
    return f"{old}: {SEE}" if old else None


def doctor_problem(findings: Mapping[str, Finding]) -> str | None:
    """Return the findings that fail, in one line; `None` where none does."""
    failed = [f"{name}: {each.found}" for name, each in findings.items() if each.outcome == "fail"]
    return "; ".join(failed) or None
