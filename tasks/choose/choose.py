"""The step that chooses tonight's blend.

Candidates learn from the log up to a cut and are judged by what users took to afterwards, so none
sees a day that judges it (`tasks/choose/turns.py`).
"""

import json
import shutil
from collections.abc import Collection
from dataclasses import fields

from tasks.artifacts.records import CleanLog
from tasks.choose.backtest import Backtest
from tasks.choose.choice import Choice, write_choice
from tasks.choose.settings import ChooseSettings
from tasks.choose.split import splits_of
from tasks.choose.turns import Turns
from tasks.io.duckdb_session import shared_database
from tasks.models.blend.settings import BlendParts
from tasks.recipe import Recipe
from tasks.runs.journal import computed
from tasks.runs.run_folder import Progress, Run, no_progress
from tasks.runs.saved_run import earlier_runs


@computed
def choose_blend(
    run: Run,
    log: CleanLog,
    settings: ChooseSettings,
    recipe: Recipe,
    last: Choice | None,
    *,
    progress: Progress = no_progress,
) -> Choice:
    """Choose half-lives and weights by a backtest; hold the settings' where none can be made.

    `last` is the night before's choice, which stands if it is within the noise of the best.
    """
    parts = next((each for each in recipe.models.values() if isinstance(each, BlendParts)), None)
    if settings.hold or parts is None:
        return _held(run, recipe, "choose.hold is set" if settings.hold else "no model is a blend")
    past = run.inside("choose", run.as_of)
    with shared_database(past.folder):
        splits = splits_of(past, log, settings, recipe.features)
        backtest = Backtest(splits, recipe, parts)
        if splits.by_protocol and backtest.protocols:
            fitting = settings.within(splits.span_days)
            choice = Turns(backtest, fitting, last, progress).choose(run, splits)
        else:
            choice = _held(run, recipe, "too few users took to anything new to judge by")
    if past.folder.exists():
        shutil.rmtree(past.folder)
    return choice


def last_choice(run: Run, bad: Collection[int] = frozenset()) -> Choice | None:
    """Return the choice of the night before, the newest that passed its gates; none without one."""
    for saved in earlier_runs(run):
        path = saved.folder / "choice.json"
        if saved.passed and saved.run.generation not in bad and path.is_file():
            facts = json.loads(path.read_bytes())
            known = {each.name for each in fields(Choice)}
            return Choice(**{n: v for n, v in facts.items() if n in known} | {"evidence": path})
    return None


def _held(run: Run, recipe: Recipe, why: str) -> Choice:
    blend = next((e.blend for e in recipe.models.values() if isinstance(e, BlendParts)), None)
    choice = Choice(
        evidence=run.path("choice.json"),
        why=f"The settings are held: {why}.",
        spans={
            "learning": recipe.features.half_life_days,
            "profile": recipe.features.profile_half_life_days,
            "popular": recipe.popular_half_life_days,
        },
        fallback_days=recipe.popularity.half_life_days,
        weights=blend.weights._asdict() if blend else {},
        by_history={name: list(each) for name, each in blend.by_history.items()} if blend else {},
    )
    write_choice(choice)
    return choice
