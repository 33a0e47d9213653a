"""Settings of users' lists, popular lists and similar items."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

#: Rules that trade, and the value that turns each off.
_TRADES = {"rerank": "cap", "max_item_share": 1.0, "explore_slots": 0}


@dataclass(frozen=True)
class TopNSettings:
    """Length and diversity of users' lists.

    - `n`: items a list.
    - `page_size`: items a page, in which categories are capped.
    - `max_per_category`: items of one category a page; items of unknown category are not capped.
    - `max_bytes`: memory for scores and candidates, of all threads; each holds at least one user's.
    - `rerank`: "cap" is the category rule; "mmr" is Maximal Marginal Relevance instead of it;
      "none" is score alone.
    - `mmr_lambda`: of "mmr", from 0, variety alone, to 1, score alone.
    - `max_item_share`: largest share of all lists that one item may enter; 1 is no cap.
    - `explore_slots`: places at the end of each page for new items and items in few lists.
    - `new_days`: age up to which an item is new to `explore_slots`.
    - `active_within_days`: users without an event in so many days get no list of their own, but the
      fallback; none: everybody gets one.

    With `mmr`, `max_item_share` or `explore_slots` all lists are in memory at once, beyond
    `max_bytes`: up to about 50 bytes a place (docs/decisions/0016-exposure.md).
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
        """Names of the rules in force that change the plain walk."""
        return tuple(name for name, off in _TRADES.items() if getattr(self, name) != off)

    @property
    def plain(self) -> "TopNSettings":
        """These settings without such rules: the exact walk and nothing else."""
        return replace(self, **_TRADES)  # type: ignore[arg-type]


@dataclass(frozen=True)
class PopularitySettings:
    """Time windows of popular and trending items.

    - `half_life_days`: age at which an event counts half for what is popular.
    - `recent_days`: window that counts as now; an item trends by its growth over `past_days`.
    - `past_days`: window before it.
    """

    half_life_days: PositiveFloat = 7.0
    recent_days: PositiveInt = 7
    past_days: PositiveInt = 28


@dataclass(frozen=True)
class SimilarSettings:
    """Length of similar items' lists.

    - `n`: items a list.
    """

    n: PositiveInt = 20
