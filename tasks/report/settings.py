"""Settings of the report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Targets:
    """What a good night exceeds: catalogue coverage and category diversity, both 0 to 1."""

    coverage: float = 0.5
    diversity: float = 0.7
