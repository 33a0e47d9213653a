"""Settings of SLIM."""

from dataclasses import dataclass

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class SlimSettings:
    """Settings of SLIM; each default's measurement is in docs/decisions/0061-slim.md.

    - `neighbours`: links kept of an item, the largest.
    - `candidates`: items most like an item by cosine, by which it is explained.
    - `similar`: cosines kept of an item, the largest; two candidates without one count as unlike.
      Both fall in a large catalogue, to no less than 100, so that all items have five million.
    - `history_items`: items of a user that links are learnt from, the strongest.
    - `user_exponent`: power of a user's total strength that the row is divided by, halved; the
      higher, the less do users of long histories count.
    - `regularization`: weight of the links' squares in the loss, as a share of an item's norm times
      the root of the mean squared norm.
    """

    neighbours: PositiveInt = 50
    candidates: PositiveInt = 200
    similar: PositiveInt = 600
    history_items: PositiveInt = 300
    user_exponent: NonNegativeFloat = 0.5
    regularization: PositiveFloat = 3.0
