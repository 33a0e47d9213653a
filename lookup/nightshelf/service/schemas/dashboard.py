"""Parameters and responses of the dashboard."""

import re
from datetime import date
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, Field

from nightshelf.contract.keys import MAX_ID_BYTES


def _iso(text: Any) -> date:
    """Parse ``2026-03-01`` and no other form; pydantic accepts ``0`` as a date."""
    if isinstance(text, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return date.fromisoformat(text)
    raise ValueError("a day is written YYYY-MM-DD")


_DAY = BeforeValidator(_iso)
Start = Annotated[date, _DAY, Query(description="First day, UTC.", examples=["2026-03-01"])]
End = Annotated[date, _DAY, Query(description="Last day, UTC, included.", examples=["2026-03-07"])]
Day = Annotated[date, _DAY, Query(alias="date", description="UTC.", examples=["2026-03-07"])]
Model = Annotated[
    str | None,
    Query(max_length=MAX_ID_BYTES, description="Of this model alone.", examples=["als"]),
]


class Figures(BaseModel):
    """Counts of distinct events, and rates of them; latency is of impressions."""

    impressions: int = 0
    clicks: int = 0
    conversions: int = Field(default=0, description="Purchases, by the live night's types.")
    unique_users: int = Field(default=0, description="Users with any of these events.")
    ctr: float | None = Field(
        default=None, description="Clicks an impression; null without impressions."
    )
    conversion_rate: float | None = Field(
        default=None, description="Conversions a click; null without clicks."
    )
    revenue: float = Field(
        default=0.0, description="Value of the conversions, in the shop's currency."
    )
    p95_latency_ms: float | None = Field(
        default=None, description="Null where no impression tells one."
    )
    p99_latency_ms: float | None = None


class Part(Figures):
    """The figures of one model and variant, null where the events name none."""

    model: str | None
    variant: str | None


class Hour(Figures):
    """The figures of one hour of the day."""

    hour: int = Field(ge=0, le=23, description="UTC.")


class Summary(BaseModel):
    """Some days: all events, and by model and variant (the 999 with the most impressions)."""

    start: date
    end: date
    model: str | None
    total: Figures
    parts: list[Part]


class Hourly(BaseModel):
    """One day: all events, and each of its 24 hours."""

    date: date
    model: str | None
    total: Figures
    hours: list[Hour]
