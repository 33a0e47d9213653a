"""What a check of `nightshelf.doctor` comes to."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "warn", "fail", "unknown"]


@dataclass(frozen=True)
class Finding:
    """How one thing stands, what was found (with figures), and what to do, in one sentence.

    `unknown` is what this login may not ask, or what has nothing to be asked of. `remedy` is empty
    where all is well.
    """

    outcome: Outcome
    found: str
    remedy: str = ""
