"""Costs of the rules: scores kept, and the change of NDCG@10 where it was measured."""

from collections.abc import Mapping
from typing import Any

from tasks.report.quality import figure
from tasks.report.text import percent

Facts = Mapping[str, Any]

#: Rules in words, by their name in the choice's evidence.
_RULES = {
    "score alone": "Score alone, no rule",
    "category rule": "Category rule (topn.max_per_category)",
    "rerank": "Variety by MMR (topn.rerank)",
    "max_item_share": "Exposure cap (topn.max_item_share)",
    "explore_slots": "Exploration (topn.explore_slots)",
}
COST_HEADS = ("Rule", "Judged", "Score kept", "NDCG@10", "Change of NDCG@10")


def cost_facts(choice: Facts | None, score_kept: float | None) -> list[dict[str, Any]]:
    """Return a row for each rule and protocol of the choice's judged users, the last of all users.

    `score_kept` of the lists by score alone, of all users of those by the category rule; 0 up.
    `ndcg_at_10`, `price` (its change from score alone) and `price_error` (a standard error) are
    none where nothing was measured.
    """
    rows = [
        {
            "rule": _in_words(row["lists"]),
            "judged": part,
            "score_kept": (row.get("score_kept") or {}).get(part),
            **{name: row[name][part] for name in ("ndcg_at_10", "price", "price_error")},
        }
        for row in (choice or {}).get("rules", ())
        for part in row["ndcg_at_10"]
    ]
    if score_kept is not None:
        unmeasured = dict.fromkeys(("ndcg_at_10", "price", "price_error"))
        whole = {"rule": "All rules beside the category rule", "judged": "all users"}
        rows.append({**whole, "score_kept": score_kept, **unmeasured})
    return rows


def cost_rows(costs: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows of the table of costs."""
    return [
        (
            row["rule"],
            row["judged"],
            "-" if row["score_kept"] is None else percent(row["score_kept"]),
            "-" if row["ndcg_at_10"] is None else figure(row["ndcg_at_10"]),
            _change(row),
        )
        for row in costs
    ]


def _in_words(name: str) -> str:
    kind, _, others = name.partition(": ")
    if not others:
        return _RULES.get(name, name)
    named = (_RULES.get(each, each).partition(" (")[0].lower() for each in others.split(", "))
    return f"{kind.capitalize()}: {', '.join(named)}"


def _change(row: Facts) -> str:
    if row["price"] is None or not row["ndcg_at_10"]:
        return "-"
    alone = row["ndcg_at_10"] - row["price"]
    if not row["price"] or not alone:
        return "-"
    share, error = 100 * row["price"] / alone, 100 * row["price_error"] / alone
    return f"{share:+.1f} % ± {1.96 * error:.1f}"
