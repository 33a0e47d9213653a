"""Settings of the traffic."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrafficSettings:
    """Amount of the traffic, and the taste of its visitors.

    - `visits_a_day`: visits of known users on a day, those of newcomers beside them.
    - `newcomers_a_day`: users without any history; each comes twice on the first day.
    - `new_items_a_day`: items that join the catalogue at the day's begin.
    - `page_size`: items of a list that a visitor sees.
    - `loved`, `favourite`, `other`: chance of a click on an item at the first position: of the
      loved style in a favourite category, of a favourite category, of any other.
    - `next_position`: chance at a position over that at the position before.
    - `buys`: chance that a click ends in a purchase.
    - `browses`: share of visits in which items are looked at beside the list: mostly of a favourite
      category, every third a new one.
    - `seed`: of all chances.
    """

    visits_a_day: int = 900
    newcomers_a_day: int = 20
    new_items_a_day: int = 6
    page_size: int = 10
    loved: float = 0.50
    favourite: float = 0.20
    other: float = 0.06
    next_position: float = 0.93
    buys: float = 0.2
    browses: float = 0.3
    seed: int = 7
