"""Settings of events: which rows are bad, and which teach nothing."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True)
class EventSettings:
    """What counts as a bad row, and how many the night bears.

    - `max_bad_share`: the night fails when a larger share of the rows of events, of items or of
      users is bad, 0 to 1. Rows after `as_of` and idle events are not among them.
    - `may_be_negative`: event types whose `value` may be below zero.
    - `clock_tolerance_s`: how far past the clock of this machine a `ts` may lie.
    - `idle`: event types that teach nothing, which are counted and otherwise not read.
    """

    max_bad_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    may_be_negative: tuple[str, ...] = ("return", "refund", "cancel")
    clock_tolerance_s: int = 3600
    idle: tuple[str, ...] = ("impression", "profile_update")
