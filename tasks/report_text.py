"""How a report says things: numbers with units, times in UTC, each figure with its meaning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


def count(value: float) -> str:
    """Return a whole number with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,.0f}"


def percent(value: float) -> str:
    """Return a share as a percentage.

    >>> percent(0.6184)
    '61.8 %'
    """
    return f"{100 * value:.1f} %"


def ratio(value: float) -> str:
    """Return a figure between 0 and a few.

    >>> ratio(0.8149)
    '0.815'
    """
    return f"{value:.3f}"


def size(n_bytes: float) -> str:
    """Return an amount of memory, in powers of 1,000.

    >>> size(512), size(1_900), size(123_456_789)
    ('512 B', '1.9 kB', '123.5 MB')
    """
    for unit in ("B", "kB", "MB"):
        if n_bytes < 999.95:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} GB"


def duration(seconds: float) -> str:
    """Return a length of time.

    >>> duration(0.25), duration(72.4), duration(3725)
    ('0.2 s', '1 min 12 s', '1 h 02 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def instant(iso: str) -> str:
    """Return a time as people read it, in UTC.

    >>> instant("2026-11-02T01:00:00+01:00")
    'Monday 2 November 2026, 00:00 UTC'
    """
    time = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{time:%A} {time.day} {time:%B %Y, %H:%M} UTC"


def words(name: str) -> str:
    """Return a step's or a state's name in words."""
    return name.replace("_", " ")


@dataclass(frozen=True)
class Figure:
    """One measured figure: its field in `Metrics`, name, form, good direction and meaning."""

    field: str
    name: str
    form: Callable[[float], str]
    good: str
    says: str


QUALITY = (
    Figure(
        "coverage",
        "Catalogue coverage",
        percent,
        "higher is better",
        "The share of the available items that stand in at least one list.",
    ),
    Figure(
        "diversity",
        "Category diversity",
        ratio,
        "higher is better",
        "How evenly a list is spread over categories: 0 is one category, 1 as even as can be.",
    ),
    Figure(
        "intra_list_diversity",
        "Variety within a list",
        ratio,
        "higher is better",
        "How unlike a list's items are in the model's eyes: 0 is all alike, 1 unrelated.",
    ),
    Figure(
        "personalisation",
        "Personalisation",
        percent,
        "higher is better",
        "How little two users' lists overlap: at 0 % all lists are one, at 100 % no two share.",
    ),
    Figure(
        "novelty_bits",
        "Novelty",
        lambda bits: f"{bits:.1f} bits",
        "higher is fresher",
        "How little known the shown items are: each bit more, half as many knew them.",
    ),
    Figure(
        "gini",
        "Inequality of exposure",
        ratio,
        "lower is better",
        "Gini of the places in the lists: 0 is the same for all items, near 1 a few take all.",
    ),
    Figure(
        "popularity_lift",
        "Popularity lift",
        lambda lift: f"{lift:.2f}-fold",
        "near 1 is faithful",
        "How popular the shown items are against those that users took by themselves.",
    ),
    Figure(
        "top_item_share",
        "Most shown item",
        percent,
        "lower is better",
        "The share of the lists that show the item that most lists show.",
    ),
    Figure(
        "explored_share",
        "Places that explore",
        percent,
        "for information",
        "Places given to new items and to those that few lists show.",
    ),
    Figure(
        "score_kept",
        "Score kept",
        percent,
        "higher is better",
        "The lists' scores against those of the plain exact lists: the price of the rules.",
    ),
)

REACH = (
    Figure(
        "full_share",
        "Full lists",
        percent,
        "higher is better",
        "Known users whose own list has every place filled.",
    ),
    Figure(
        "short_share",
        "Short lists",
        percent,
        "lower is better",
        "Known users whose own list has places left empty: the rules left too few items.",
    ),
    Figure(
        "fallback_share",
        "Fallback only",
        percent,
        "lower is better",
        "Known users without a list of their own, who get the popular one of their segment.",
    ),
    Figure("n_lists", "Personal lists", count, "for information", "Users who have their own."),
    Figure(
        "n_distinct",
        "Items shown",
        count,
        "higher is better",
        "Different items that stand in at least one list.",
    ),
)

RULES = (
    Figure(
        "n_seen", "Already seen", count, "must be 0", "Places that show users what they have taken."
    ),
    Figure(
        "n_unavailable",
        "Not available",
        count,
        "must be 0",
        "Places that show what cannot be had.",
    ),
    Figure(
        "n_breaches",
        "Too much of a category",
        count,
        "must be 0",
        "Places that a category has beyond its room on a page.",
    ),
    Figure(
        "n_over_ceiling",
        "Over the ceiling",
        count,
        "must be 0",
        "Items that stand in more lists than one item may.",
    ),
)

#: What the input's counts are called, by their name in the report's JSON.
INPUT_NAMES: Mapping[str, str] = {
    "rows_read": "Rows read",
    "events": "Events, each once",
    "duplicates": "Duplicates left out",
    "after_as_of": "Later than the night may see",
    "quarantined": "Rows in quarantine",
    "items": "Items in the catalogue",
    "users": "Users known",
    "interactions": "User and item pairs learnt from",
}


#: The heads of `gate_rows`.
GATE_HEADS = ("Gate", "Tonight", "Expected", "Outcome")
_OUTCOMES = {"pass": "✓ pass", "warn": "! warns", "block": "✗ blocks"}


def training(model: Mapping[str, Any]) -> str:
    """Say how the model was trained.

    >>> training({"iterations": 5, "started_from": 41})
    '5 iterations from generation 41 on'
    >>> training({"iterations": 15, "started_from": None})
    '15 iterations, begun anew'
    """
    start = model["started_from"]
    began = ", begun anew" if start is None else f" from generation {start} on"
    return f"{count(model['iterations'])} iterations{began}"


def saved(memory: Mapping[str, Any]) -> str:
    """Say what is saved on users who were not here lately; nothing where everybody has a list.

    >>> saved({"inactive_users": 1200, "bytes_saved": 2_500_000})
    ' 1,200 inactive users have no list of their own, which saves about 2.5 MB in Redis.'
    """
    if not memory["inactive_users"]:
        return ""
    return (
        f" {count(memory['inactive_users'])} inactive users have no list of their own, which saves "
        f"about {size(memory['bytes_saved'])} in Redis."
    )


def gate_rows(gates: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return rows of what a gate looks at, its figure, its limit and what came of it."""
    return [
        (
            gate["says"],
            "-" if gate["value"] is None else f"{gate['value']:.3g}",
            gate["limit"],
            _OUTCOMES.get(gate["outcome"], "nothing to compare with"),
        )
        for gate in gates
    ]


def measured_on(memory: Mapping[str, Any] | None) -> str:
    """Say which lists the figures are of."""
    if memory is None:
        return "Measured on the lists as they were computed: nothing of them was published."
    return f"Measured on the lists as they were read back from Redis. Digest {memory['digest']}."


def table_of(values: Mapping[str, Any], figures: tuple[Figure, ...]) -> list[tuple[str, ...]]:
    """Return rows of name, value, which way is good, and what the figure says.

    A figure without a value, its rule not being in force, has no row.
    """
    return [
        (figure.name, figure.form(values[figure.field]), figure.good, figure.says)
        for figure in figures
        if values[figure.field] is not None
    ]
