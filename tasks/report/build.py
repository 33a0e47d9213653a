"""The night's report: JSON with all figures, an HTML page, Markdown for Prefect."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from nightshelf.contract.values import Manifest
from tasks.artifacts.records import CleanLog, Features, Made, Staged
from tasks.choose.choice import Choice
from tasks.evaluation.backtest import Quality
from tasks.evaluation.drift.compare import Drift
from tasks.evaluation.further_models import FurtherModels
from tasks.evaluation.gates import Verdict
from tasks.evaluation.measure import Metrics
from tasks.experiments.tonight import Tonight
from tasks.report.charts import all_pictures
from tasks.report.choice import change_text, choice_facts
from tasks.report.experiments import VariantRow, model_facts, variant_rows
from tasks.report.html import to_html
from tasks.report.markdown import to_markdown
from tasks.report.quality import figure
from tasks.report.settings import Targets
from tasks.report.text import count, percent, ratio
from tasks.runs.journal import step
from tasks.runs.run_folder import Run

#: Version of report.json: increased when a name changes its meaning or is removed.
_FORMAT = 1


class Headline(NamedTuple):
    """A figure with its target, formatted."""

    figure: str
    value: str
    target: str
    met: bool


@dataclass(frozen=True)
class Outcome:
    """Figures and gates of a generation, and its state.

    `state` is "live", "staged", "blocked" or "not published". Without gates there is no `drift`,
    where the settings have the blend no `choice`. `further` are the models beside the default,
    `tonight` the experiments that serve them.
    """

    metrics: Metrics
    quality: Quality | None
    verdict: Verdict
    state: str
    drift: Drift | None = None
    choice: Choice | None = None
    further: FurtherModels = field(default_factory=FurtherModels)
    tonight: Tonight = field(default_factory=Tonight)


@dataclass(frozen=True)
class Report:
    """Files of the report, its figures with targets, and the generation's state.

    `variants` are those of the experiments that run.
    """

    json: Path
    md: Path
    html: Path
    headline: tuple[Headline, ...]
    state: str
    variants: tuple[VariantRow, ...] = ()


@step
def write_report(
    run: Run,
    made: Made,
    staged: Staged | None,
    outcome: Outcome,
    targets: Targets,
) -> Report:
    """Write report.json, report.md and report.html; equal nights of equal seconds give equal bytes.

    Nothing was `staged` of a past date that is not published.
    """
    clean, features, model = made.log, made.features, made.model
    metrics, quality, verdict = outcome.metrics, outcome.quality, outcome.verdict
    chosen = choice_facts(outcome.choice, run.steps())
    headline = judge(metrics, quality, targets, outcome.choice)
    warnings = [*clean.warnings, *features.warnings, *verdict.warnings()]
    warnings += filter(None, [change_text(chosen)])
    models, further, tonight = list(made.models), outcome.further, outcome.tonight
    variants = variant_rows(tonight, models)
    warnings += [*further.warnings, *tonight.replaced(models)]
    facts = {
        "format": _FORMAT,
        "night": {
            "namespace": run.namespace,
            "generation": run.generation,
            "as_of": run.as_of.isoformat(),
            "state": outcome.state,
        },
        "headline": [row._asdict() for row in headline],
        "targets": asdict(targets),
        "blocked_by": verdict.reasons(),
        "warnings": warnings,
        "gates": [asdict(gate) for gate in verdict.gates],
        "input": _input(clean, features),
        "model": {
            "name": model.name,
            "users": model.n_users,
            "items": model.n_items,
            "factors": model.n_factors,
            "iterations": model.n_iterations,
            "started_from": model.started_from,
        },
        "lists": {
            name: each for name, each in asdict(metrics).items() if not isinstance(each, Path)
        },
        "models": model_facts(made, metrics, further),
        "variants": [row._asdict() for row in variants],
        "choice": chosen,
        "offline_quality": _without_path(quality),
        "drift": _without_path(outcome.drift),
        "memory": _memory(staged, metrics) | _saved(run.steps()) if staged else None,
        "steps": run.steps(),
        "curves": orjson.loads(metrics.curves.read_bytes()),
    }
    pictures = all_pictures(facts["curves"], facts["steps"])
    written = {
        "json": orjson.dumps(facts, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS),
        "md": to_markdown(facts, pictures).encode(),
        "html": to_html(facts, pictures).encode(),
    }
    paths = {ending: run.path(f"report.{ending}") for ending in written}
    for ending, content in written.items():
        paths[ending].write_bytes(content)
    return Report(**paths, headline=headline, state=outcome.state, variants=variants)


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


def _input(clean: CleanLog, features: Features) -> dict[str, Any]:
    return {
        "rows_read": clean.rows_read,
        "events": clean.n_events,
        "duplicates": clean.n_duplicates,
        "teaching": features.n_teaching,
        "without_weight": features.n_unweighed,
        "after_as_of": clean.n_after_as_of,
        "quarantined": clean.n_quarantined,
        "items": features.n_catalogue,
        "items_without_category": features.n_uncategorised,
        "users": features.n_known_users,
        "interactions": features.n_interactions,
        "event_types": clean.event_types,
        "quarantined_by_reason": clean.quarantined,
        "set_aside": clean.set_aside,
        "unweighed": features.unweighed,
        "warnings": [*clean.warnings, *features.warnings],
    }


def _without_path(record: Quality | Drift | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {name: value for name, value in asdict(record).items() if name != "path"}


def _memory(staged: Staged, metrics: Metrics) -> dict[str, Any]:
    manifest = Manifest.from_json(staged.manifest.read_bytes())
    return {
        "keys": staged.n_keys,
        "bytes": staged.n_bytes,
        "bytes_a_user": round(staged.n_bytes / max(metrics.n_users, 1), 1),
        "keys_by_family": manifest.counts,
        "digest": staged.digest,
    }


def _saved(steps: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of inactive users without a list, and the bytes their lists would take."""
    found = {line["step"]: line for line in steps}
    lists, coming = found.get("top_n", {}), found.get("estimate_memory", {})
    n_inactive = lists.get("n_inactive", 0)
    n_lists = sum(line.get("n_lists", 0) for line in steps if line["step"].startswith("top_n"))
    a_list = coming.get("families", {}).get("list", 0) / max(n_lists, 1)
    return {"inactive_users": n_inactive, "bytes_saved": round(n_inactive * a_list)}
