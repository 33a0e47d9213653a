"""Figures of the report: each with its name, form, good direction and meaning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.report.text import count, percent, ratio


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
        "new_share",
        "Places with new items",
        percent,
        "for information",
        "Places that show items no older than topn.new_days.",
    ),
    Figure(
        "cold_share",
        "Places with cold items",
        percent,
        "for information",
        "Places that show items nobody has taken, listed for their category, tags and price.",
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
    Figure(
        "filled_share",
        "Places filled",
        percent,
        "higher is better",
        "Of the lists' places, of those that a user's candidates could fill.",
    ),
    Figure("shortest_list", "Shortest list", count, "for information", "Its items."),
    Figure("median_list", "Median list", count, "for information", "Items of the middle one."),
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
        "n_over_cap",
        "Over the exposure cap",
        count,
        "must be 0",
        "Items that stand in more lists than one item may.",
    ),
)

#: Labels of the input's counts, by their name in the report's JSON.
INPUT_NAMES: Mapping[str, str] = {
    "rows_read": "Rows read",
    "events": "Events, each once",
    "teaching": "Events that teach something",
    "without_weight": "Events whose type has no weight",
    "duplicates": "Duplicates left out",
    "after_as_of": "Later than the night may see",
    "quarantined": "Rows in quarantine",
    "items": "Items in the catalogue",
    "items_without_category": "Items without a category",
    "users": "Users known",
    "interactions": "User and item pairs learnt from",
}


def table_of(values: Mapping[str, Any], figures: tuple[Figure, ...]) -> list[tuple[str, ...]]:
    """Return rows of name, value, good direction and meaning.

    A figure without a value, its rule not being in force, has no row.
    """
    return [
        (figure.name, figure.form(values[figure.field]), figure.good, figure.says)
        for figure in figures
        if values[figure.field] is not None
    ]
