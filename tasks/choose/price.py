"""Figures of the choice beside others: recent popularity, and the lists after each rule."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tasks.choose.backtest import Backtest, Floats, RuledFigures
from tasks.choose.candidates import Spans
from tasks.choose.choice import Choice
from tasks.choose.rule import standard_error
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

    All by protocol: `price` is the change from the lists by score alone, with its standard error;
    `score_kept` the sum of the lists' scores over that of the lists by score alone. Rules that
    count the lists that an item is in count those of the judged users.
    """
    rows: list[dict[str, Any]] = []
    alone: Mapping[str, RuledFigures] = {}
    blend = choice.blended(backtest.parts.blend)
    for name, rule in rules_of(backtest.recipe.topn):
        figures = backtest.ruled(Spans(**choice.spans), blend, rule)
        alone = alone or figures
        change = {part: each.ndcg - alone[part].ndcg for part, each in figures.items()}
        change = {part: each for part, each in change.items() if len(each)}
        rows.append(
            {
                "lists": name,
                "ndcg_at_10": {part: float(figures[part].ndcg.mean()) for part in change},
                "price": {part: float(each.mean()) for part, each in change.items()},
                "price_error": {part: standard_error(each) for part, each in change.items()},
                "score_kept": {
                    part: figures[part].scores / alone[part].scores
                    for part in change
                    if alone[part].scores > 0
                },
            }
        )
    return rows


def rules_of(settings: TopNSettings) -> Iterator[tuple[str, TopNSettings]]:
    """Yield names of rules and their settings: none, the category rule, each other, then all.

    A rule that trades is taken by itself on top of the category rule, where that is in force.
    """
    yield "score alone", unruled(settings)
    if settings.rerank == "cap":
        yield "category rule", settings.plain
    if not settings.trades or settings == unruled(settings):
        return
    base = replace(settings.plain, rerank="none" if settings.rerank == "none" else "cap")
    alone = [name for name in settings.trades if getattr(settings, name) != getattr(base, name)]
    if len(alone) > 1:
        for name in alone:
            given = {name: getattr(settings, name)}
            yield name, replace(base, **given)
    if alone:
        yield f"all rules: {', '.join(settings.trades)}", settings
