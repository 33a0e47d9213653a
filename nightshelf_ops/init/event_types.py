"""Types of events: their SQL, their weights, and the settings that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from data.importers.csv_table import quoted
from nightshelf_ops.init.columns import Column
from nightshelf_ops.init.findings import Doubts, Question
from nightshelf_ops.init.roles import EventRoles
from nightshelf_ops.init.sql_of import number_sql
from nightshelf_ops.init.vocabulary import meaning_of
from tasks.features.settings import FeatureSettings

#: Weight by meaning: the night's defaults, and of what teaches nothing.
_WEIGHTS = {**FeatureSettings().weights, "idle": 0.0, "removal": 0.0}
_IN_WORDS = {
    "purchase": "a purchase: the item is bought",
    "like": "a like",
    "add_to_cart": "put into the cart",
    "wishlist_add": "saved for later",
    "view": "a view or a play",
    "click": "a click",
    "rating": "a rating",
    "dislike": "a dislike",
    "return": "a return or a cancellation",
    "impression": "shown only",
    "idle": "nothing about the item",
}
_SEEN = ("purchase", "like", "rating", "dislike", "return")
#: Ends of rating scales; a like begins at 80 % of one, a dislike ends at 40 %.
_SCALES = (1.0, 5.0, 10.0, 100.0)


@dataclass(frozen=True)
class EventType:
    """A type of event, with the number of its events, its meaning and its weight."""

    name: str
    n_events: int
    meaning: str
    weight: float


@dataclass(frozen=True)
class TypeRules:
    """Settings of types: `seen` items are not shown again."""

    types: tuple[EventType, ...]
    seen: tuple[str, ...]
    half_life_days: float
    why_seen: str = ""
    why_half_life: str = ""
    idle: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def type_sql(roles: EventRoles, doubts: Doubts) -> str:
    """Return SQL for the type of an event of a table."""
    table = roles.table
    if roles.kind:
        doubts.add("type", roles.kind, "certain", f"{table.by_name[roles.kind].n_distinct} types")
        return quoted(roles.kind)
    if roles.rating and roles.meaning in ("", "rating"):
        return _rating_sql(table.by_name[roles.rating], doubts)
    name = roles.meaning or _asked(roles, doubts)
    if name == "idle":
        name = "view"
    negative = next(
        (
            column
            for column in (roles.quantity, roles.amount)
            if column and (table.by_name[column].low or 0) < 0
        ),
        "",
    )
    if negative and name == "purchase":
        doubts.add("returns", negative, "likely", f"a negative {negative} is a return")
        return (
            f"CASE WHEN {number_sql(table.by_name[negative])} < 0 THEN 'return' ELSE '{name}' END"
        )
    return f"'{name}'"


def _asked(roles: EventRoles, doubts: Doubts) -> str:
    """Return the type of a table that does not tell it."""
    sold = bool(roles.price or roles.quantity or roles.amount)
    default = "purchase" if sold else "view"
    why = "it has prices or quantities" if sold else "nothing says more"
    options = {k: _IN_WORDS[k] for k in ("purchase", "view", "click", "like", "add_to_cart")}
    text = f"What is a row of {roles.table.title}?"
    if sold:
        doubts.add("type", "purchase", "likely", why)
        return doubts.answers.get("type", default)
    answer = doubts.ask(Question("type", text, options, default, rank=2))
    doubts.add("type", answer, "unsure", why)
    return answer


def _rating_sql(column: Column, doubts: Doubts) -> str:
    high, low = column.high or 0, column.low or 0
    top = next((end for end in _SCALES if high <= end), high)
    if low < 0:
        like, dislike = 0.3 * top, 0.0
    elif top == 1:
        like, dislike = 1.0, 0.0
    else:
        like, dislike = 0.8 * top, 0.4 * top
    doubts.add(
        *("rating", column.name, "certain"),
        f"from {low:g} to {high:g}: a like from {like:g}, a dislike up to {dislike:g}",
    )
    number = number_sql(column)
    return (
        f"CASE WHEN {number} >= {like} THEN 'like' WHEN {number} <= {dislike} THEN 'dislike' "
        "ELSE 'rating' END"
    )


def value_sql(roles: EventRoles) -> str:
    """Return SQL for the value of an event: the rating, or the revenue; empty without any."""
    has = roles.table.by_name
    if roles.rating:
        return number_sql(has[roles.rating])
    if roles.amount:
        return number_sql(has[roles.amount])
    if roles.price and roles.quantity:
        return f"round({number_sql(has[roles.quantity])} * {number_sql(has[roles.price])}, 2)"
    return number_sql(has[roles.price]) if roles.price else ""


def meanings(counts: Mapping[str, int], doubts: Doubts) -> dict[str, str]:
    """Return the meaning of each type; those that no word tells are asked about."""
    found = {}
    for name in sorted(counts, key=lambda each: (-counts[each], each)):
        meaning = doubts.answers.get(f"type.{name}") or meaning_of(name)
        if not meaning:
            text = f"What is an event of type {name!r} ({counts[name]:,} of them)?"
            options = {k: _IN_WORDS[k] for k in _IN_WORDS}
            meaning = doubts.ask(Question(f"type.{name}", text, options, "view", rank=3))
        found[name] = meaning if meaning in _WEIGHTS else "view"
    return found


def rules_of(
    counts: Mapping[str, int], meaning: Mapping[str, str], again: bool, half_life: float
) -> TypeRules:
    """Return the settings for types; `again`: bought items may be shown again."""
    types = tuple(
        EventType(name, counts[name], meaning[name], _WEIGHTS[meaning[name]])
        for name in sorted(counts, key=lambda each: (-_WEIGHTS[meaning[each]], -counts[each], each))
    )
    by_role = {
        role: tuple(t.name for t in types if t.meaning in wanted)
        for role, wanted in {
            "purchase_types": ("purchase",),
            "view_types": ("view", "click"),
            "rating_types": ("rating", "like", "dislike"),
        }.items()
    }
    seen = tuple(
        t.name for t in types if t.meaning in _SEEN and not (again and t.meaning == "purchase")
    )
    idle = tuple(t.name for t in types if t.meaning in ("impression", "idle"))
    return TypeRules(types, seen, half_life, idle=idle, names=by_role)
