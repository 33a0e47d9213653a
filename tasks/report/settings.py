"""Settings of the report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Targets:
    """Targets of the report, each from 0 to 1.

    - `coverage`: catalogue coverage that a good night exceeds.
    - `diversity`: category diversity that a good night exceeds.
    """

    coverage: float = 0.5
    diversity: float = 0.7
