"""A night's folder: where its artifacts go, and the journal of its steps.

::

    runs/<namespace>/<generation>/
        steps.jsonl             one line a finished step: name, seconds, counts, record, files
        settings.json           every setting of the night
        made_from.json          what it was made from: as_of, inputs, settings and code by hash
        quarantine.parquet      bad rows, each with its reason
        events.parquet          the clean log; items.parquet, users.parquet beside it
        known/                  a past date's catalogue, without what was created later
        features/               interactions.npz, seen.npz, user and item feature rows
        model/                  user_factors.parquet, item_factors.parquet, settings.json
        lists/                  lists.parquet, popular.parquet, similar.parquet
        backtest/                the night as it was some days ago, and quality.json: how it did
        manifest.json           the generation, as staged
        curves.json             what the report's pictures show
        gates.json              each gate's figure, limit and outcome
        report.json .md .html   what to look at in the morning

    runs/<namespace>/rollups/   days added up for later nights (`tasks/features/rollup_store.py`)
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from tasks.errors import DiskError
from tasks.io.disk import tidy, written_whole
from tasks.io.parquet import file_hash

#: Called with (done, total) now and then by steps that take long.
Progress = Callable[[int, int], None]

P = ParamSpec("P")
R = TypeVar("R")


def no_progress(done: int, total: int) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Run:
    """One night: its namespace, its generation number, and the instant that it may see up to.

    `part` is where in the night's folder it works: at the top, or as a smaller night inside.
    """

    namespace: str
    generation: int
    as_of: datetime
    root: Path
    part: Path = Path()

    @property
    def folder(self) -> Path:
        """The run's folder, which `path` makes when first asked for an artifact."""
        return self.root / self.namespace / str(self.generation) / self.part

    def inside(self, part: str, as_of: datetime) -> "Run":
        """Return a smaller night inside this one: a folder and a journal of its own."""
        return replace(self, as_of=as_of, part=self.part / part)

    def path(self, name: str) -> Path:
        """Return the path of an artifact, its folder made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Raise `DiskError` where the disk refuses, with what was begun meanwhile deleted.

        Finished steps stay, for the next run to take over. A folder that has none of its own, and
        whose generation was never staged, goes.
        """
        before = set(self.folder.rglob("*"))
        advice = "Make room, or name another --run-root, and start it again"
        try:
            with written_whole(self.root, f"{what} of {self.namespace}", advice):
                yield
        except DiskError:
            self._tidy(before)
            raise

    def _tidy(self, before: set[Path]) -> None:
        with suppress(OSError, ValueError):  # a journal that cannot be read names nothing
            journal = self.journal()
            own = any("record" in line and "taken_from" not in line for line in journal)
            named = {self.folder / name for line in journal for name in line.get("files", {})}
            staged = (self.folder / "manifest.json") in before
            tidy(self.folder, before | named if own or staged else set())
            with suppress(OSError):
                self.folder.parent.rmdir()  # a namespace's first run leaves nothing either

    def note(self, step: str, seconds: float, record: object, /, **more: object) -> None:
        """Append a finished step to the journal."""
        self.append({"step": step, "seconds": round(seconds, 3), **_counts(record), **more})

    def append(self, line: dict[str, Any]) -> None:
        """Append a line to the journal."""
        with self.path("steps.jsonl").open("a") as journal:
            journal.write(json.dumps(line) + "\n")

    def journal(self) -> list[dict[str, Any]]:
        """Return the journal, in the order in which the steps finished.

        A line that a crash cut short is left out: its step did not finish.
        """
        path = self.folder / "steps.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def steps(self) -> list[dict[str, Any]]:
        """Return names, seconds and counts of the finished steps."""
        hidden = ("record", "files")
        return [{k: v for k, v in line.items() if k not in hidden} for line in self.journal()]


def step(function: Callable[Concatenate[Run, P], R]) -> Callable[Concatenate[Run, P], R]:
    """Journal a step of the night: its name, its seconds and the counts of its record."""

    @wraps(function)
    def journalled(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> R:
        started = time.perf_counter()
        with run.writing(function.__name__):
            record = function(run, *args, **kwargs)
            run.note(function.__name__, time.perf_counter() - started, record)
        return record

    return journalled


def computed(function: Callable[Concatenate[Run, P], R]) -> Callable[Concatenate[Run, P], R]:
    """Journal a step all of whose work is in the files that its record names.

    Where the run has taken it over from another (`tasks/runs/resume.py`), it is not done again.
    """

    @wraps(function)
    def once(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> R:
        for line in run.journal():
            if line["step"] == function.__name__ and "taken_from" in line:
                return cast("R", _unpacked(function, line["record"], run.folder))
        started = time.perf_counter()
        with run.writing(function.__name__):
            record = function(run, *args, **kwargs)
            seconds = time.perf_counter() - started
            packed, files = _packed(record, run.folder), _files(record, run.folder)
            run.note(function.__name__, seconds, record, record=packed, files=files)
        return record

    return once


def highest_generation(root: Path, namespace: str) -> int:
    """Return the highest generation that has a folder under `root`, 0 where there is none."""
    folder = root / namespace
    numbers = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
    return max(numbers, default=0)


def midnight(now: datetime | None = None) -> datetime:
    """Return the last midnight in UTC: a night's usual `as_of`."""
    now = now or datetime.now(UTC)
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _files(record: object, folder: Path) -> dict[str, str]:
    """Return the files that a record names, relative to the run's folder, each with its hash."""
    paths = [value for value in vars(record).values() if isinstance(value, Path)]
    names = [str(path.relative_to(folder)) for path in paths]
    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(file_hash, paths), strict=True))


def _packed(record: object, folder: Path) -> dict[str, Any]:
    """Return a record as JSON knows it, its paths relative to the run's folder."""
    return {
        name: str(value.relative_to(folder)) if isinstance(value, Path) else value
        for name, value in vars(record).items()
    }


def _unpacked(function: Callable[..., object], packed: dict[str, Any], folder: Path) -> object:
    """Return the record that `function` gave when it was run."""
    kind = function.__annotations__["return"]
    paths = {each.name for each in fields(kind) if each.type is Path}
    values = {name: folder / value if name in paths else value for name, value in packed.items()}
    return kind(
        **{n: tuple(each) if isinstance(each, list) else each for n, each in values.items()}
    )


def _counts(record: object) -> dict[str, Any]:
    """Return the numbers of a record (and tables of numbers), without its paths."""
    if not hasattr(record, "__dataclass_fields__"):
        return {}
    values = asdict(record)  # type: ignore[call-overload]
    return {name: value for name, value in values.items() if isinstance(value, int | float | dict)}
