"""The content of report.json: all figures of a night, under stable names."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
from tasks.report.choice import change_text, choice_facts
from tasks.report.costs import cost_facts
from tasks.report.experiments import VariantRow, model_facts
from tasks.report.headline import Headline
from tasks.report.prediction import prediction_facts
from tasks.report.samples import sample_facts
from tasks.report.settings import Targets
from tasks.report.shown_items import item_facts
from tasks.report.trends import trend_rows
from tasks.runs.run_folder import Run

#: Version of report.json: increased when a name changes its meaning or is removed.
_FORMAT = 1


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


def report_facts(
    run: Run,
    made: Made,
    staged: Staged | None,
    outcome: Outcome,
    targets: Targets,
    headline: Sequence[Headline],
    variants: Sequence[VariantRow],
) -> dict[str, Any]:
    """Return all that the report says; nothing was `staged` of lists that are not published."""
    clean, features, model = made.log, made.features, made.model
    metrics, quality, verdict = outcome.metrics, outcome.quality, outcome.verdict
    steps, curves = run.steps(), orjson.loads(metrics.curves.read_bytes())
    chosen, measured = choice_facts(outcome.choice, steps), _without_path(quality)
    facts = {
        "format": _FORMAT,
        "night": {
            "namespace": run.namespace,
            "generation": run.generation,
            "as_of": run.as_of.isoformat(),
            "state": outcome.state,
        },
        "prediction": prediction_facts(chosen, measured),
        "headline": [row._asdict() for row in headline],
        "targets": asdict(targets),
        "blocked_by": verdict.reasons(),
        "warnings": _warnings(made, outcome, chosen),
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
        "models": model_facts(made, metrics, outcome.further),
        "variants": [row._asdict() for row in variants],
        "choice": chosen,
        "offline_quality": measured,
        "rule_costs": cost_facts(chosen, metrics.score_kept),
        "drift": _without_path(outcome.drift),
        "memory": _memory(staged, metrics) | _saved(steps) if staged else None,
        "samples": sample_facts(run.folder, made, metrics.catalogue),
        **item_facts(run.folder, metrics.catalogue),
        "segments": curves.get("segments", []),
        "steps": steps,
        "curves": curves,
    }
    return facts | {"trends": trend_rows(run, facts)}


def _warnings(made: Made, outcome: Outcome, chosen: Mapping[str, Any] | None) -> list[str]:
    """Return the warnings of all steps, each once."""
    found = [*made.log.warnings, *made.features.warnings, *outcome.verdict.warnings()]
    found += filter(None, [change_text(chosen)])
    found += [*outcome.further.warnings, *outcome.tonight.replaced(list(made.models))]
    return list(dict.fromkeys(found))


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
