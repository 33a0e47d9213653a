"""Figures of the choice beside others: recent popularity, and the lists after each rule."""

from collections.abc import Iterator
from typing import Any

from tasks.choose.backtest import Backtest, Floats
from tasks.choose.candidates import Spans
from tasks.choose.choice import Choice
from tasks.choose.rule import Figures, standard_error
from tasks.evaluation.judged_lists import unruled
from tasks.recommend.settings import TopNSettings


def beside(figures: Floats, popular: Floats) -> dict[str, Any]:
    """Return the means of the same users' figures, and the standard error of their difference."""
    return {
        "users": len(figures),
        "ndcg_at_10": float(figures.mean()),
        "popular_ndcg_at_10": float(popular.mean()),
        "ahead_error": standard_error(figures - popular),
    }


def price_of_rules(backtest: Backtest, choice: Choice) -> list[dict[str, Any]]:
    """Return NDCG@10 of the choice's lists by score alone, and after each rule in force.

    All by protocol: `price` is the change from the lists by score alone, with its standard error.
    Rules that count the lists that an item is in count those of the judged users.
    """
    rows: list[dict[str, Any]] = []
    alone: Figures | None = None
    blend = choice.blended(backtest.parts.blend)
    for name, rule in rules_of(backtest.recipe.topn):
        figures = backtest.ruled_ndcg(Spans(**choice.spans), blend, rule)
        alone = figures if alone is None else alone
        change = {part: each - alone[part] for part, each in figures.items() if len(each)}
        rows.append(
            {
                "lists": name,
                "ndcg_at_10": {part: float(figures[part].mean()) for part in change},
                "price": {part: float(each.mean()) for part, each in change.items()},
                "price_error": {part: standard_error(each) for part, each in change.items()},
            }
        )
    return rows


def rules_of(settings: TopNSettings) -> Iterator[tuple[str, TopNSettings]]:
    """Yield names of rules and their settings: none, the category rule, all those in force."""
    yield "score alone", unruled(settings)
    if settings.rerank == "cap":
        yield "category rule", settings.plain
    if settings.trades and settings != unruled(settings):
        yield f"all rules: {', '.join(settings.trades)}", settings
