"""Requests and responses of ``/track``."""

from typing import Annotated, Any, TypeVar
from uuid import uuid4

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag

from nightshelf.client.event import Event
from nightshelf.service.problems import EVENT_ID_PATTERN, MANY, ONE
from nightshelf.service.schemas.lists import Id

#: Events in one request: a page and its scrolling.
MAX_EVENTS = 100
_LARGEST = 2**53 - 1  # what a JSON number holds exactly everywhere
_DETAILS = ("generation", "model", "experiment", "variant", "phase", "position", "event_id")
_OF_EXPERIMENT = ("experiment", "variant", "phase")

Amount = Annotated[float, Field(ge=0, le=1e12)]


def _like(more: dict[str, JsonValue]) -> ConfigDict:
    """Return a configuration with an example."""
    example: dict[str, JsonValue] = {
        "user_id": "u1",
        "item_id": "B2",
        "generation": 42,
        "model": "als",
        "position": 3,
    }
    return ConfigDict(json_schema_extra={"examples": [example | more]})


class _Tracked(BaseModel):
    """Fields of all events; unknown fields are refused, so that misspelt ones are seen."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    user_id: Id
    generation: Annotated[int, Field(ge=1, le=_LARGEST)] | None = None
    model: Id | None = None
    experiment: Annotated[Id | None, Field(description="As the list was served.")] = None
    variant: Annotated[Id | None, Field(description="As served, or of an experiment of yours.")] = (
        None
    )
    phase: Annotated[int, Field(ge=1, le=2**31 - 1, description="As served.")] | None = None
    forced: Annotated[
        bool, Field(description="As served: true is recorded outside the experiment.")
    ] = False
    position: Annotated[int, Field(ge=1, le=10_000, description="From 1.")] | None = None
    event_id: Annotated[
        str,
        Field(
            pattern=EVENT_ID_PATTERN,
            description="Yours, to send an event again; one is made where there is none.",
        ),
    ] = Field(default_factory=lambda: uuid4().hex)

    def details(self) -> dict[str, Any]:
        """Return the fields that `Event` has under the same names.

        Those of the experiment are left out where a tester chose the variant.
        """
        left_out = _OF_EXPERIMENT if self.forced else ()
        return {name: getattr(self, name) for name in _DETAILS if name not in left_out}


class Impression(_Tracked):
    """A user was shown an item."""

    model_config = _like({"latency_ms": 12.5})

    item_id: Id
    latency_ms: (
        Annotated[Amount, Field(description="How long the page waited for the list.")] | None
    ) = None

    def event(self) -> Event:
        """Return the event."""
        own = {"latency_ms": self.latency_ms} | self.details()
        return Event(self.user_id, "impression", self.item_id, **own)


class Click(_Tracked):
    """A user clicked on an item."""

    model_config = _like({})

    item_id: Id

    def event(self) -> Event:
        """Return the event."""
        return Event(self.user_id, "click", self.item_id, **self.details())


class Conversion(_Tracked):
    """A user bought an item; `revenue` in the shop's currency."""

    model_config = _like({"revenue": 24.9})

    item_id: Id
    revenue: Amount | None = None

    def event(self, purchase: str) -> Event:
        """Return an event of type `purchase`, with the revenue as its value."""
        return Event(self.user_id, purchase, self.item_id, self.revenue, **self.details())


class Action(_Tracked):
    """An action of a user, with the immediate effects of its type."""

    model_config = _like({"action": "rating", "value": 4})

    action: Annotated[
        Id, Field(description="An event type of the night's settings, or of the default ones.")
    ]
    item_id: Id | None = None
    value: (
        Annotated[Amount, Field(description="Of a rating the stars, of a purchase its revenue.")]
        | None
    ) = None

    def event(self) -> Event:
        """Return the event."""
        return Event(self.user_id, self.action, self.item_id, self.value, **self.details())


T = TypeVar("T")


def _how_many(sent: Any) -> str:
    return MANY if isinstance(sent, list | tuple) else ONE


#: One event or a list; errors are reported for the form that was sent.
Some = Annotated[
    Annotated[T, Tag(ONE)]
    | Annotated[list[T], Field(min_length=1, max_length=MAX_EVENTS), Tag(MANY)],
    Discriminator(_how_many),
    Body(),
]


class Accepted(BaseModel):
    """Ids of the recorded events, in their order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"event_ids": ["order-7-line-1"]}]})

    event_ids: list[str]
    unknown_types: (
        Annotated[
            list[str],
            Field(
                min_length=1,
                description="Recorded, but the live night makes nothing of such events. "
                "Not there where it knows them all.",
            ),
        ]
        | None
    ) = None
