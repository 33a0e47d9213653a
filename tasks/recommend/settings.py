"""Settings of lists: of users, of everybody, of items like one."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

#: Rules that trade, and the value that turns each off.
_TRADES = {"rerank": "cap", "max_item_share": 1.0, "explore_slots": 0}


@dataclass(frozen=True)
class TopNSettings:
    """How long a list is, and how diverse.

    - `n`: items a list, 1 to 1,000.
    - `page_size`, `max_per_category`: at most so many of a category in each page of so many; items
      of unknown category are held to none.
    - `max_bytes`: memory for scores and candidates, over all threads; each holds one user's at
      least.
    - `rerank`: "cap" is the category rule; "mmr" chooses without it by Maximal Marginal Relevance,
      `mmr_lambda` from 0, variety alone, to 1, score alone; "none" is score alone.
    - `max_item_share`: of all lists, the most that one item may enter; 1 is no ceiling.
    - `explore_slots`: places at the end of each page that go to items which few lists show, or
      which came into being in the last `new_days`.
    - `active_within_days`: users without an event in so many days get no list of their own, and
      fall back; none: everybody gets one.

    With any of these three rules all lists are in memory at once, beyond `max_bytes`: up to some
    50 bytes a place (docs/decisions/0016-exposure.md).
    """

    n: Annotated[int, Field(ge=1, le=1_000)] = 50
    page_size: PositiveInt = 10
    max_per_category: PositiveInt = 3
    max_bytes: PositiveInt = 256 * 2**20
    rerank: Literal["cap", "mmr", "none"] = "cap"
    mmr_lambda: Annotated[float, Field(ge=0, le=1)] = 0.7
    max_item_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    explore_slots: NonNegativeInt = 0
    new_days: PositiveInt = 28
    active_within_days: PositiveInt | None = None

    def __post_init__(self) -> None:
        if self.explore_slots > self.page_size:
            raise ValueError(
                f"topn.explore_slots is {self.explore_slots}, over page_size ({self.page_size}): "
                "a page has no more places to explore"
            )

    @property
    def trades(self) -> tuple[str, ...]:
        """The rules in force by which lists give up some of the walk for something else."""
        return tuple(name for name, off in _TRADES.items() if getattr(self, name) != off)

    @property
    def plain(self) -> "TopNSettings":
        """These settings without such rules: the exact walk and nothing else."""
        return replace(self, **_TRADES)  # type: ignore[arg-type]


@dataclass(frozen=True)
class PopularitySettings:
    """`recent_days` against the `past_days` before them make an item trending."""

    recent_days: PositiveInt = 7
    past_days: PositiveInt = 28


@dataclass(frozen=True)
class SimilarSettings:
    """`n`: items a list."""

    n: PositiveInt = 20
