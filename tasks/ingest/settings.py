"""Settings of the validation of events."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True)
class EventSettings:
    """Bad and idle rows, and the share of bad ones that fails a night.

    - `max_bad_share`: the night fails if a larger share of events, items or users is bad.
      Events after `as_of` and idle ones are not counted.
    - `may_be_negative`: event types whose `value` may be below zero.
    - `clock_tolerance_s`: how far past this machine's clock a `ts` may lie.
    - `idle`: event types that are counted and otherwise not read.
    """

    max_bad_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    may_be_negative: tuple[str, ...] = ("return", "refund", "cancel")
    clock_tolerance_s: int = 3600
    idle: tuple[str, ...] = ("impression", "profile_update")
