"""The night's steps as Prefect tasks: limits of time, and retries where Redis may be away."""

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from flows import _step_pages as pages
from flows import as_task, redis_failed
from tasks.choose import choose
from tasks.evaluation import backtest, further_models, gate_step, measure
from tasks.evaluation.drift import compare
from tasks.experiments import night as experiments
from tasks.features.build import build_features
from tasks.features.count_popularity import count_popularity
from tasks.ingest import clean as events
from tasks.ingest import contract as inputs
from tasks.models.registry import MODELS
from tasks.pipeline import Call
from tasks.publish import go_live as live
from tasks.publish import memory_estimate as memory
from tasks.publish import stage as publish
from tasks.recommend.popularity import popular_lists
from tasks.recommend.similar_items import similar_items
from tasks.recommend.topn import LIST_STEPS, top_n
from tasks.report import build as report
from tasks.runs import prune, resume

P = ParamSpec("P")
R = TypeVar("R")

HOUR_S = 3600
#: Redis may be away for a moment; what these steps write they can write again.
PATIENT: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_condition_fn": redis_failed,
}

check_inputs = as_task(inputs.check_inputs, timeout_seconds=HOUR_S)
open_run = as_task(publish.open_run, **PATIENT)
take_over = as_task(resume.take_over)
take_over_rest = as_task(resume.take_over_rest)
newer_night = as_task(live.newer_night, **PATIENT)
given_up = as_task(live.given_up, **PATIENT)
clear_orphans = as_task(live.clear_orphans, **PATIENT)
clean_events = as_task(events.clean_events, page=pages.clean_events, timeout_seconds=2 * HOUR_S)
#: Limits of the pipeline's steps in hours.
_LIMITS_H: dict[Callable[..., Any], int] = {
    build_features: 2,
    count_popularity: 1,
    **{model.train: 4 for model in MODELS.values()},
    top_n: 2,
    **dict.fromkeys(LIST_STEPS.values(), 2),
    popular_lists: 1,
    similar_items: 1,
}
#: Limit of a step past one machine.
_LIMIT_ELSEWHERE_H = 12
#: Steps of the pipeline as tasks.
PIPELINE: dict[Callable[..., Any], Callable[..., Any]] = {
    step: as_task(step, timeout_seconds=limit_h * HOUR_S) for step, limit_h in _LIMITS_H.items()
}
open_phases = as_task(experiments.open_phases, timeout_seconds=HOUR_S, **PATIENT)
choose_blend = as_task(choose.choose_blend, page=pages.choose_blend, timeout_seconds=2 * HOUR_S)
evaluate = as_task(backtest.evaluate, timeout_seconds=6 * HOUR_S)
judge_further = as_task(further_models.judge_further, timeout_seconds=HOUR_S, **PATIENT)
record_phases = as_task(experiments.record_phases)
estimate_memory = as_task(memory.estimate_memory, **PATIENT)
stage = as_task(publish.stage, timeout_seconds=2 * HOUR_S, **PATIENT)
read_back = as_task(publish.read_back, timeout_seconds=2 * HOUR_S, **PATIENT)
measure_lists = as_task(measure.measure, page=pages.measure, timeout_seconds=HOUR_S)
measure_drift = as_task(compare.measure_drift, page=pages.measure_drift, timeout_seconds=HOUR_S)
check_gates = as_task(
    gate_step.check_gates, page=pages.check_gates, timeout_seconds=HOUR_S, **PATIENT
)
flip = as_task(live.flip, **PATIENT)
keep_live = as_task(live.keep_live, **PATIENT)
write_report = as_task(report.write_report, timeout_seconds=HOUR_S)
prune_runs = as_task(prune.prune_runs, **PATIENT)


def runner(places: Mapping[Callable[..., Any], Callable[..., Any]]) -> Call:
    """Return a way to call steps as tasks: those of an engine in the place of this machine's."""

    def call(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if step not in places:
            here: Any = clean_events if step is events.clean_events else PIPELINE[step]
            return cast("R", here(*args, **kwargs))
        page = pages.clean_events if step is events.clean_events else None
        task = as_task(places[step], page=page, timeout_seconds=_LIMIT_ELSEWHERE_H * HOUR_S)
        return cast("R", task(*args, **kwargs))

    return call


def run_task(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a step of the pipeline as its task."""
    return cast("R", PIPELINE[step](*args, **kwargs))
