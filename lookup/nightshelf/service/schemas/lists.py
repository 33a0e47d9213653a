"""Requests and responses of lists and feature rows.

Requests are validated by these models. Responses are written without them: they document OpenAPI,
and tests compare the two.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from nightshelf.client.filters import Filters
from nightshelf.contract.keys import MAX_ID_BYTES, encode_id, encode_segment
from nightshelf.service.problems import SEGMENT_PATTERN, TEXT_PATTERN

MAX_N = 100
MAX_USERS = 100
_MAX_CHOICES = 50
#: Two names of `experiments.toml` and a colon; a longer one names no variant.
_MAX_FORCED = 129


def _id(text: str) -> str:
    encode_id(text)
    return text


def _segment(text: str) -> str:
    encode_segment(text)
    return text


Text = Annotated[str, StringConstraints(max_length=MAX_ID_BYTES, pattern=TEXT_PATTERN)]
Id = Annotated[Text, AfterValidator(_id)]
Segment = Annotated[
    str,
    StringConstraints(max_length=MAX_ID_BYTES, pattern=SEGMENT_PATTERN),
    AfterValidator(_segment),
]
N = Annotated[int, Field(ge=1, le=MAX_N, description="How many items at most.")]
Cursor = Annotated[
    str, Field(max_length=2048, description="Of the page before; goes on where that ended.")
]
Metadata = Annotated[bool, Field(description="Whether to add the items' feature rows.")]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Choices = Annotated[list[Text], Field(max_length=_MAX_CHOICES)]


class _Query(BaseModel):
    """Parameters of a path and query."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Conditions(_Body):
    """Conditions on items, all of which must hold; an item without a feature row fails them."""

    categories: Choices = []
    not_categories: Choices = []
    min_price: Price | None = None
    max_price: Price | None = None
    tags: Choices = []
    in_stock: bool = False

    def filters(self) -> Filters:
        """Return the client's filters."""
        return Filters(
            categories=tuple(self.categories),
            not_categories=tuple(self.not_categories),
            min_price=self.min_price,
            max_price=self.max_price,
            tags=tuple(self.tags),
            in_stock=self.in_stock,
        )


class Page(_Query):
    """Parameters of a page of a list."""

    n: N = 10
    model_name: Annotated[Id | None, Field(description="Another model than the live one.")] = None
    cursor: Cursor | None = None
    metadata: Metadata = False


class Cut(_Query):
    """Parameters of a list that belongs to no user; `user_id` masks that user's items."""

    n: N = 10
    user_id: Annotated[Id | None, Field(description="Whom it is shown to: leaves out theirs.")] = (
        None
    )
    metadata: Metadata = False


class UserPage(Page):
    """Parameters of a page of a user's list."""

    user_id: Id
    forced: Annotated[
        str | None,
        Field(
            max_length=_MAX_FORCED,
            description="`experiment:variant` for a tester; one that is not published is ignored.",
        ),
    ] = None


class Alike(Cut):
    """Parameters of a list of similar items."""

    item_id: Id


class InSegment(Cut):
    """Parameters of a segment's list."""

    segment: Segment


class OneUser(_Query):
    """A user."""

    user_id: Id


class OneItem(_Query):
    """An item."""

    item_id: Id


class Recommend(UserPage):
    """A page of a user's list, with filters."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {"user_id": "u42", "n": 2},
                {"user_id": "u42", "filters": {"categories": ["Lamps"], "max_price": 80}},
            ]
        },
    )

    filters: Conditions | None = None


class Batch(_Body):
    """First pages of many users' lists."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_ids": ["u42", "u7"], "n": 2}]})

    user_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_USERS)]
    n: N = 10


class Recommendation(BaseModel):
    """An item; scores compare within one answer only, `reason` is a code and what it needs."""

    item_id: str
    score: float
    reason: list[str]
    metadata: dict[str, Any] | None = None


_LAMP: dict[str, JsonValue] = {"item_id": "B2", "score": 0.91, "reason": ["because", "C9"]}
_LIVE: dict[str, JsonValue] = {
    "model_used": "als",
    "source": "list",
    "generation": 44,
    "cached": True,
}


class Served(BaseModel):
    """A list, best first, with its source (`nightshelf.Result`)."""

    recommendations: list[Recommendation]
    model_used: str | None
    source: str
    generation: int | None
    cached: bool


class Recommendations(Served):
    """A page of a user's list; `cursor` asks for the next one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "u42",
                    "recommendations": [_LAMP],
                    **_LIVE,
                    "cursor": "44.1.-.list%3Aals",
                }
            ]
        }
    )

    user_id: str
    cursor: str | None
    experiment: (
        Annotated[str, Field(description="The user's; not there outside one, as all that follow.")]
        | None
    ) = None
    variant: str | None = None
    phase: Annotated[int, Field(description="Of the experiment.")] | None = None
    forced: Annotated[bool, Field(description="There where a tester chose the variant.")] = False


class Batched(BaseModel):
    """The users' lists, in the order asked for."""

    results: list[Recommendations]


class Similar(Served):
    """Similar items, or popular ones."""

    item_id: str


class Popular(Served):
    """A segment's popular items, or everyone's."""

    segment: str


class UserFeatures(BaseModel):
    """A user's feature row; `null` where there is none or Redis fails."""

    user_id: str
    features: dict[str, Any] | None


class ItemFeatures(BaseModel):
    """An item's feature row; `null` where there is none or Redis fails."""

    item_id: str
    features: dict[str, Any] | None


class Health(BaseModel):
    """Health of the process."""

    status: str
