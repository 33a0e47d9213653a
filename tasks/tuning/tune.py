"""Tune a namespace's settings on its own log, and judge the result on later days."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.choose.rule import Figures, Objective, standard_error
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import Inputs
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tasks.tuning.objective import open_windows
from tasks.tuning.search import Budget, Report, Trial, best_of, search
from tasks.tuning.search_space import SPACE, Values, values_of, with_values

#: The studies of a namespace, in `runs/<namespace>/`.
STUDIES = "tuning.sqlite3"
#: Figures of another are not comparable: a study of it is not gone on with.
_OBJECTIVE = "NDCG@10 over the night's, by each protocol of the choice, none under popularity"


@dataclass(frozen=True)
class Ask:
    """Terms of a search.

    - `minutes`: of the trials; reading the log and judging the result come on top.
    - `trials`: in all, those of earlier starts too; none: as many as the minutes allow.
    - `days`: of the window to tune on, and of the later one to judge by.
    - `n_users`: judged users of a window by each protocol, at most.
    - `seed`: of the search.
    """

    minutes: float = 10.0
    trials: int | None = None
    days: int = 7
    n_users: int = 4_000
    seed: int = 20260301


@dataclass(frozen=True)
class Judged:
    """A mean over users and its standard error."""

    mean: float
    error: float


#: Means by protocol.
ByProtocol = Mapping[str, Judged]


@dataclass(frozen=True)
class Tuned:
    """A search and its result.

    - `values`: the best of the earlier window, by `section.name`; `current` those in force, with
      the half-lives and weights that a night chose before the later window.
    - `before`, `after`, `popular`: NDCG@10 on the later window, of the values in force, of the best
      and of the popular list; `difference`: of after over before, by user.
    - `gain`: the mean of the differences, each over `before`: 0.05 is five percent more.
    - `n_tuned`, `n_judged`: users of the earlier and of the later window, by protocol.
    """

    namespace: str
    as_of: datetime
    ask: Ask
    trials: tuple[Trial, ...]
    current: Values
    values: Values
    before: ByProtocol
    after: ByProtocol
    popular: ByProtocol
    difference: ByProtocol
    gain: Judged
    n_tuned: Mapping[str, int]
    n_judged: Mapping[str, int]

    @property
    def better(self) -> bool:
        """True if the later window prefers the result to the settings in force."""
        return self.gain.mean > 0 and not self.under

    @property
    def under(self) -> list[str]:
        """Protocols of the later window by which the result lies under recent popularity.

        That is by more than a standard error, as the night's choice never may.
        """
        return [
            name
            for name, each in self.after.items()
            if self.popular[name].mean - each.mean > each.error
        ]

    @property
    def certain(self) -> bool:
        """True if it does so by more than two standard errors."""
        return self.gain.mean > 2 * self.gain.error


def tune(
    inputs: Inputs,
    settings: Settings,
    namespace: str,
    as_of: datetime,
    run_root: Path,
    ask: Ask,
    report: Report = lambda trial, best: None,
    say: Callable[[str], None] = lambda line: None,
) -> Tuned:
    """Search for better settings; the same search goes on where it was interrupted.

    Studies are kept in `<run_root>/<namespace>/tuning.sqlite3`, one for each log, `as_of`, settings
    and terms. Raises `SettingsError` where a window has nobody to judge by.
    """
    folder = run_root / namespace
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".tuning-") as aside:
        run = Run(namespace, 0, as_of, Path(aside))
        say("reading the log ...")
        log = clean_events(run, inputs, settings.events, now=datetime.now(UTC))
        say("choosing as a night would ...")
        windows = open_windows(run, log, settings, ask.days, ask.n_users)
        earlier, later, in_force = windows.earlier, windows.later, windows.in_force
        current = values_of(in_force)
        trials = search(
            folder / STUDIES,
            _study_name(inputs.digests, settings, as_of, ask),
            lambda values: windows.figure(with_values(in_force, values)),
            current,
            Budget(60 * ask.minutes, ask.trials),
            seed=ask.seed,
            report=report,
        )
        best = best_of(trials).values if trials else current
        say("judging the result on later days ...")
        before, after = later.judge(in_force), later.judge(with_values(in_force, best))
        return Tuned(
            namespace, as_of, ask, tuple(trials), current, best, _judged(before), _judged(after),
            _judged(later.judge_popular(in_force)),
            _judged({name: each - before[name] for name, each in after.items()}),
            Judged(*Objective.of([before]).ahead(after, before)), earlier.n_users, later.n_users,
        )  # fmt: skip


def _judged(figures: Figures) -> ByProtocol:
    return {
        name: Judged(float(each.mean()), standard_error(each)) for name, each in figures.items()
    }


def _study_name(digests: Mapping[str, str], settings: Settings, as_of: datetime, ask: Ask) -> str:
    """Return a hash of all that a trial's figure follows from, and of the seed."""
    terms = {name: each for name, each in asdict(ask).items() if name not in ("minutes", "trials")}
    space = {name: repr(each) for name, each in SPACE.items()}
    made_from = [_OBJECTIVE, dict(digests), settings.digest(), as_of.isoformat(), terms, space]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
