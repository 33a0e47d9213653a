"""The search: an Optuna study that is seeded, kept on disk, and held to a time budget."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from tasks.tuning.search_space import SPACE, Values, in_space, rounded

#: Figure of some values on the window to tune on: more is better.
Objective = Callable[[Values], float]
#: Called with a finished trial and the best so far.
Report = Callable[["Trial", "Trial"], None]


@dataclass(frozen=True)
class Trial:
    """Values that were tried: their number from 0, figure and seconds."""

    number: int
    values: Values
    figure: float
    seconds: float


@dataclass(frozen=True)
class Budget:
    """Limits of a search, this start of it: `seconds`, and `trials` in all; none: no limit."""

    seconds: float
    trials: int | None = None


def search(
    storage: Path,
    name: str,
    objective: Objective,
    current: Values,
    budget: Budget,
    *,
    seed: int,
    report: Report = lambda trial, best: None,
) -> list[Trial]:
    """Return all trials of the study `name`, those of earlier starts first.

    The current values come first, where they lie in the space. Each trial's sampler is seeded by
    `seed` and the number of trials before it: a search that was interrupted goes on as it would
    have. No trial is begun that would end after the budget, if it took as long as the longest.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{storage}", study_name=name, direction="maximize", load_if_exists=True
    )
    if not study.trials and in_space(current):
        study.enqueue_trial(dict(current))
    started, longest = time.monotonic(), 0.0
    done = _finished(study)
    while budget.trials is None or len(done) < budget.trials:
        if time.monotonic() - started + longest > budget.seconds:
            break
        study.sampler = TPESampler(seed=seed + len(done))
        began = time.monotonic()
        asked = study.ask(dict(SPACE))
        study.tell(asked, objective(rounded(asked.params)))
        longest = max(longest, time.monotonic() - began)
        done = _finished(study)
        report(done[-1], best_of(done))
    return done


def best_of(trials: list[Trial]) -> Trial:
    """Return the trial with the highest figure, the first of equals."""
    return max(trials, key=lambda trial: (trial.figure, -trial.number))


def _finished(study: optuna.Study) -> list[Trial]:
    """Return the finished trials, numbered anew: one that a crash interrupted does not count."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [_trial(number, each) for number, each in enumerate(finished)]


def _trial(number: int, found: FrozenTrial) -> Trial:
    took = found.duration.total_seconds() if found.duration else 0.0
    return Trial(number, rounded(found.params), float(found.value or 0.0), took)
