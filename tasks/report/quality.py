"""Text of the offline quality, of new items, and of the cost of the lists' rules."""

from collections.abc import Mapping
from typing import Any

from tasks.report.text import count, instant, percent

HEADS = ("Offline quality", "Own lists", "Popular list", "What it says")

_MEASURES = (
    ("ndcg", "NDCG", "Hits, worth less the lower they stand, of what the best list would have."),
    ("recall", "Recall", "The share of what a user took to that the places showed."),
    ("hit_rate", "Hit rate", "The share of users for whom a place at least was a hit."),
    ("reciprocal_rank", "Reciprocal rank", "1 is a hit at the first place, 0.5 at the second."),
)
_SETTING = "NIGHTSHELF_EVALUATE__BACKTEST_DAYS"


def figure(value: float) -> str:
    """Return a figure with four decimals.

    >>> figure(0.08113)
    '0.0811'
    """
    return f"{value:.4f}"


def offline_quality(quality: Mapping[str, Any] | None) -> str:
    """Describe the offline quality of lists of some days ago.

    >>> offline_quality(None)
    'Offline quality was not measured: NIGHTSHELF_EVALUATE__BACKTEST_DAYS.'
    """
    if quality is None:
        return f"Offline quality was not measured: {_SETTING}."
    cut = instant(quality["cut"])
    if not quality["n_users"]:
        return (
            f"Offline quality was not measured: nobody had a list as of {cut} and took "
            f"to anything new since ({_SETTING} is {quality['backtest_days']})."
        )
    lists, popularity = (quality[name]["ndcg_at_10"] for name in ("lists", "popularity"))
    return (
        f"Lists as of {cut}, judged by what {count(quality['n_users'])} users took to in the "
        f"{quality['backtest_days']} days since: NDCG@10 {figure(lists)} (standard error "
        f"{figure(quality['ndcg_error'])}), the popular list {figure(popularity)}.{_cost(quality)}"
    )


def new_items(lists: Mapping[str, Any], quality: Mapping[str, Any] | None) -> str:
    """Describe how many new and cold items the lists show, and how those of some days ago did.

    >>> shown = {"n_new": 40, "n_new_shown": 12, "n_cold": 3, "n_cold_shown": 0}
    >>> did = {"n_users": 50, "hit_rate": 0.1, "popular_hit_rate": 0.04, "chance": 0.02}
    >>> new_items(shown, {"new_items": did, "cut": "2026-02-22T00:00:00+00:00"})[:63]
    'Of 40 new items 12 are in some list, of 3 that nobody has taken'
    >>> new_items(shown, None)
    'Of 40 new items 12 are in some list, of 3 that nobody has taken 0.'
    """
    shown = (
        f"Of {count(lists['n_new'])} new items {count(lists['n_new_shown'])} are in some list, of "
        f"{count(lists['n_cold'])} that nobody has taken {count(lists['n_cold_shown'])}."
    )
    did = quality and quality["new_items"]
    if not quality or not did:
        return shown
    return (
        f"{shown} Of {count(did['n_users'])} users who took a new one since "
        f"{instant(quality['cut'])}, {percent(did['hit_rate'])} had one of those in their list of "
        f"that day, {percent(did['popular_hit_rate'])} in the popular list, "
        f"{percent(did['chance'])} by chance."
    )


def offline_quality_rows(quality: Mapping[str, Any] | None) -> list[tuple[str, ...]]:
    """Return rows of a measure, its figure for own lists and the popular list, its meaning."""
    if quality is None:
        return []
    lists, popularity = quality["lists"], quality["popularity"]
    depths = sorted({int(name.rpartition("_")[2]) for name in lists})
    return [
        (
            f"{title}@{k}",
            figure(lists[f"{name}_at_{k}"]),
            figure(popularity[f"{name}_at_{k}"]),
            says,
        )
        for k in depths
        for name, title, says in _MEASURES
    ]


def _cost(quality: Mapping[str, Any]) -> str:
    """Describe the cost of the exploration rules."""
    if not quality["plain"]:
        return ""
    with_rules, without = (quality[name]["ndcg_at_10"] for name in ("lists", "plain"))
    change = f": {100 * (with_rules / without - 1):+.1f} %" if without else ""
    return (
        f" NDCG@10 {figure(with_rules)}, {figure(without)} without the exploration rules{change}."
    )
