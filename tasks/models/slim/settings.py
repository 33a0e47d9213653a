"""Settings of SLIM."""

from dataclasses import dataclass

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class SlimSettings:
    """Settings of SLIM; each default's measurement is in docs/decisions/0061-slim.md.

    - `neighbours`: links kept of an item, the largest.
    - `candidates`: items most like an item by cosine, by which it is explained.
    - `similar`: cosines kept of an item, the largest; two candidates without one count as unlike.
      In a catalogue of over 16,000 items it falls, to no less than the candidates, so that all
      items have five million.
    - `history_items`: items of a user that links are learnt from, the strongest.
    - `user_exponent`: power of a user's total strength that the row is divided by, halved; the
      higher, the less do users of long histories count.
    - `regularization`: weight of the links' squared norm in the loss, as a share of an item's mean
      squared norm.
    """

    neighbours: PositiveInt = 50
    candidates: PositiveInt = 100
    similar: PositiveInt = 300
    history_items: PositiveInt = 300
    user_exponent: NonNegativeFloat = 0.5
    regularization: PositiveFloat = 3.0
