"""Finding of a check of `nightshelf.doctor`."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "warn", "fail", "unknown"]


@dataclass(frozen=True)
class Finding:
    """Outcome of a check, the finding with its figures, and the remedy in one sentence.

    `unknown`: this login may not read it, or there is nothing to read. `remedy` is empty if all is
    well.
    """

    outcome: Outcome
    found: str
    remedy: str = ""
