"""A readout from sums: sample ratios first, then figures, verdicts and parts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from tasks.experiments.definition import Definition
from tasks.readout import figures, parts, sequential
from tasks.readout.measures import Counted
from tasks.readout.parts import Shares
from tasks.readout.records import Readout
from tasks.readout.sentences import sentences
from tasks.readout.settings import ReadoutSettings
from tasks.readout.sums import Sums


def judge(
    definition: Definition,
    counted: Counted,
    sums: Sums,
    shares: Shares,
    span: tuple[datetime, datetime],
    settings: ReadoutSettings,
) -> Readout:
    """Judge an experiment by its sums; `shares` are those of the variants by phase.

    Where sample ratios fail there is no verdict, no guardrail and no belief.
    """
    since, until = span
    window = timedelta(hours=definition.attribution_window_h)
    is_over = definition.end is not None and until >= definition.end + window
    found = figures.strata(sums.rows)
    names = [variant.name for variant in definition.variants]
    measures, alpha = counted.measures, settings.alpha
    ratios = tuple(parts.ratios(sums.rows, shares))
    valid = not any(each.failed for each in ratios)
    made = Readout(
        experiment=definition.id,
        hypothesis=definition.hypothesis,
        control=definition.control.name,
        since=since.isoformat(),
        until=until.isoformat(),
        valid=valid,
        users=_users(found, names),
        n_exposures=sums.n_exposures,
        n_waiting=sums.n_waiting,
        n_crossed=sums.n_crossed,
        cuts=sums.cuts,
        sample_ratios=ratios,
        values=tuple(figures.values(measures, found, names)),
        figures=figures.figures(definition, measures, found, alpha),
        verdicts=tuple(
            sequential.verdicts(definition, counted, sums.rows, settings, is_over=is_over)
        )
        if valid
        else (),
        guardrails=tuple(sequential.guardrails(definition, counted, found, settings))
        if valid
        else (),
        beliefs=tuple(figures.beliefs(definition, measures, found)) if valid else (),
        parts=(
            *parts.phases(definition, measures[0], sums.rows, alpha),
            *parts.segments(definition, measures[0], sums.rows, alpha),
            *parts.days(definition, measures[0], sums.ages, alpha),
        ),
    )
    return replace(made, sentences=tuple(sentences(made)))


def _users(found: figures.Strata, names: list[str]) -> Mapping[str, int]:
    return {name: figures.of_variant(found, name).n for name in names}
