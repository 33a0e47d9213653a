"""Settings of EASE."""

from dataclasses import dataclass

from pydantic import PositiveFloat, PositiveInt


@dataclass(frozen=True)
class EaseSettings:
    """Settings of EASE; each default's measurement is in docs/decisions/0041-ials.md.

    - `neighbours`: links kept of an item, the largest above 0.
    - `regularization`: weight of the links' squared norm in the loss, where an observed pair of
      mean strength weighs about 1.
    - `max_items`: items up to which the model can be trained: memory grows with their square, time
      with their cube.
    """

    neighbours: PositiveInt = 200
    regularization: PositiveFloat = 100.0
    max_items: PositiveInt = 10_000
