"""Evaluation of a log: each protocol splits it, the models learn from one part, and are judged."""

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from tasks.artifacts.records import CleanLog
from tasks.errors import SettingsError
from tasks.evaluation.compare.judge import judge_among, judge_lists, panel_of
from tasks.evaluation.compare.one_against import N_OTHERS
from tasks.evaluation.compare.results import Evaluation, Judgement, Row
from tasks.evaluation.compare.tables import to_markdown
from tasks.evaluation.protocols import Split, by_time, last_event
from tasks.ingest.daily_log import days_of
from tasks.pipeline import Call, Pipeline, direct
from tasks.recipe import Recipe
from tasks.runs.run_folder import Run

Protocol = Literal["by-time", "last-event", "one-against-99"]
PROTOCOLS: tuple[Protocol, ...] = ("by-time", "last-event", "one-against-99")


@dataclass(frozen=True)
class Plan:
    """Extent of an evaluation.

    - `protocols`: those to judge by.
    - `days`: last days held out by time.
    - `n_users`: most users to judge, a sample by a hash of the id.
    - `every_rule`: also rules that the settings turn off.
    - `seed`: of resamples and random candidates.
    """

    protocols: tuple[Protocol, ...] = PROTOCOLS
    days: int = 7
    n_users: int = 20_000
    every_rule: bool = False
    seed: int = 1


def plan_of(
    protocols: Collection[str], days: int, n_users: int, seed: int, *, every_rule: bool
) -> Plan:
    """Return the plan of a command's options: all protocols where none is named.

    Raises `SettingsError` for an unknown protocol.
    """
    if unknown := sorted(set(protocols) - set(PROTOCOLS)):
        named = ", ".join(unknown)
        raise SettingsError(f"no protocol is named {named}; there are {', '.join(PROTOCOLS)}")
    asked = tuple(name for name in PROTOCOLS if name in protocols) or PROTOCOLS
    return Plan(asked, days, n_users, every_rule, seed)


#: Returns the recipe that a night of a run and its clean log would follow.
Choose = Callable[[Run, CleanLog], Recipe]


def evaluate_log(
    run: Run,
    log: CleanLog,
    recipe: Recipe,
    plan: Plan,
    call: Call = direct,
    choose: Choose | None = None,
) -> Evaluation:
    """Judge the recipe's models, each protocol in a folder of `run` that is deleted in the end.

    `choose` chooses anew for each split, of its known part, as a night does of its log. Raises
    `NothingToLearn` where a known part teaches nothing, `SettingsError` where it judges nobody.
    """
    judgements: list[Judgement] = []
    if "by-time" in plan.protocols:
        split = call(by_time, run, log, recipe.features, plan.days, plan.n_users)
        held_out = f"in the last {plan.days} days before {run.as_of:%Y-%m-%d}"
        _refuse_nobody(split, log, f"nobody took to a new item {held_out}")
        chosen = choose(split.run, split.known) if choose else recipe
        judgements += _judged(split, chosen, plan, ("by-time",), call)
    asked = tuple(name for name in plan.protocols if name != "by-time")
    if asked:
        split = call(last_event, run, log, recipe.features, plan.n_users)
        _refuse_nobody(split, log, "nobody took to two different items")
        chosen = choose(split.run, split.known) if choose else recipe
        judgements += _judged(split, chosen, plan, asked, call)
    return Evaluation(run.namespace, run.as_of.isoformat(), plan.seed, tuple(judgements))


def finish(run: Run, evaluation: Evaluation) -> None:
    """Write `evaluation.json` and `evaluation.md` into the run's folder; delete the clean log."""
    run.path("evaluation.json").write_bytes(evaluation.to_json())
    run.path("evaluation.md").write_text(to_markdown(evaluation))
    for name in ("events", "items", "users"):
        run.path(f"{name}.parquet").unlink(missing_ok=True)


def _judged(
    split: Split, recipe: Recipe, plan: Plan, protocols: tuple[Protocol, ...], call: Call
) -> Iterator[Judgement]:
    """Learn from a split and yield the judgement of each protocol that it serves."""
    pipeline = Pipeline(split.run, split.known, recipe, call)
    features = pipeline.features()
    models = pipeline.models(features, pipeline.popularity(), warm=False)
    panel = panel_of(split, features, recipe, plan.seed)
    for protocol in protocols:
        if protocol == "one-against-99":
            rows, n = call(judge_among, panel, models), 1 + N_OTHERS
        else:
            every = plan.every_rule
            rows = call(judge_lists, panel, models, recipe.topn, every_rule=every)
            n = recipe.topn.n
        yield _judgement(protocol, split, n, rows)
    shutil.rmtree(split.run.folder)


def _judgement(protocol: str, split: Split, n: int, rows: tuple[Row, ...]) -> Judgement:
    return Judgement(
        protocol=protocol,
        cut=split.run.as_of.isoformat(),
        n_users=len(split.user_ids),
        n_relevant=len(split.item_ids),
        list_length=n,
        rows=rows,
    )


def _refuse_nobody(split: Split, log: CleanLog, why: str) -> None:
    if len(split.user_ids):
        return
    days = days_of(log.events)
    ends = f"its events end on {_date(days[-1].number)}" if days else "it has no event"
    raise SettingsError(f"{why}, so there is nobody to judge by: {ends}. Name --as-of, or --days")


def _date(day: int) -> str:
    return f"{date(1970, 1, 1) + timedelta(day)}"
