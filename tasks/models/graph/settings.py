"""Settings of the item-item graph."""

from dataclasses import dataclass

from pydantic import NonNegativeFloat, PositiveInt


@dataclass(frozen=True)
class GraphSettings:
    """Settings of the graph; each default's measurement is in docs/decisions/0046-blend.md.

    Items i and j are linked by the sum over users u of r_ui r_uj / (deg_u^a deg_i^b deg_j^c), where
    r is ln(1 + strength / mean strength), and deg its sum over a row or a column.

    - `neighbours`: links kept of an item, the largest.
    - `history_items`: items of a user that links are learnt from, the strongest; a robot's many
      thousands say little and would take most of the time, which grows with their square.
    - `user_exponent`: a; the higher, the less do users of long histories count.
    - `item_exponent`: b, of the item in the user's profile.
    - `neighbour_exponent`: c, of the item that is linked to it; the higher, the less are popular
      items listed.
    """

    neighbours: PositiveInt = 100
    history_items: PositiveInt = 300
    user_exponent: NonNegativeFloat = 0.5
    item_exponent: NonNegativeFloat = 0.5
    neighbour_exponent: NonNegativeFloat = 0.5
