"""Headline figures of the report: those that have targets."""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.choose.choice import Choice
from tasks.evaluation.backtest import Quality
from tasks.evaluation.measure import Metrics
from tasks.report.quality import figure
from tasks.report.settings import Targets
from tasks.report.text import count, percent, ratio


class Headline(NamedTuple):
    """A figure with its target, formatted."""

    figure: str
    value: str
    target: str
    met: bool


def judge(
    metrics: Metrics, quality: Quality | None, targets: Targets, choice: Choice | None = None
) -> tuple[Headline, ...]:
    """Compare the figures that have targets with them."""
    n_broken = metrics.n_seen + metrics.n_unavailable + metrics.n_breaches
    n_broken += metrics.n_over_cap or 0
    return (
        Headline(
            "Catalogue coverage",
            percent(metrics.coverage),
            f"over {100 * targets.coverage:g} %",
            metrics.coverage > targets.coverage,
        ),
        Headline(
            "Category diversity",
            ratio(metrics.diversity),
            f"over {targets.diversity:g}",
            metrics.diversity > targets.diversity,
        ),
        *_offline_quality_headline(quality, choice),
        Headline("Broken rules", count(n_broken), "none", n_broken == 0),
    )


def _offline_quality_headline(quality: Quality | None, choice: Choice | None) -> Iterator[Headline]:
    """Yield NDCG@10, if measured, with that of the popular list as its target.

    Without a backtest of the night's own lists it is that of the chosen blend.
    """
    if quality and quality.n_users:
        lists, popular = (of["ndcg_at_10"] for of in (quality.lists, quality.popularity))
        target = f"over {figure(popular)}, the popular list's"
        yield Headline("Offline quality (NDCG@10)", figure(lists), target, lists > popular)
    elif choice and not choice.held:
        part = choice.protocol
        popular, error = choice.popular_ndcg[part], choice.ahead_error[part]
        target = f"at least {figure(popular - error)}: recent popularity's less a standard error, "
        target += f"{part}, on the days that the blend was chosen by"
        met = choice.ndcg[part] >= popular - error
        yield Headline("Offline quality (NDCG@10)", figure(choice.ndcg[part]), target, met)
