"""Run folders: the layout of a night's artifacts, and the journal of its steps.

::

    runs/<namespace>/<generation>/
        steps.jsonl             one line a finished step: name, seconds, peak memory of the process
                                in bytes, counts, record, files
        settings.json           every setting of the night, as chosen
        made_from.json          as_of, and hashes of inputs, settings and code
        quarantine.parquet      bad rows, each with its reason
        events.parquet          the clean log; items.parquet, users.parquet beside it
        known/                  a past date's catalogue, without items created later
        choice.json             half-lives and weights of the blend, and the evidence for them
        features/               interactions.npz, recent.npz, seen.npz, popularity.parquet, user and
                                item feature rows
        model/<name>/           user and item factors, profiles and links, settings, facts
        lists/                  lists.parquet, popular.parquet, similar.parquet
        lists/<name>/           lists.parquet of a model beside the default
        backtest/               a night as of some days ago, and quality.json: its measures
        manifest.json           the generation, as staged
        curves.json             what the report's pictures show
        catalogue.parquet       items with their titles, each with the lists that show it
        distributions.json      histograms of features and lists, for later nights
        drift.json              how far they are from those of the nights before
        gates.json              each gate's figure, limit and outcome
        report.json .md .html   the report
        pruned.json             of a run whose Parquet and NumPy files were deleted

    runs/<namespace>/rollups/   days added up for later nights (`tasks/features/rollup_store.py`)
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.errors import DiskError
from tasks.io.disk import tidy, written_whole

#: Called with (done, total) by long steps.
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Run:
    """One night: its namespace, its generation number, and its `as_of`.

    `part` is its folder inside the night's: the top, or that of a smaller night inside.
    """

    namespace: str
    generation: int
    as_of: datetime
    root: Path
    part: Path = Path()

    @property
    def folder(self) -> Path:
        """The run's folder; `path` makes it."""
        return self.root / self.namespace / str(self.generation) / self.part

    def inside(self, part: str, as_of: datetime) -> "Run":
        """Return a smaller night inside this one, with its own folder and journal."""
        return replace(self, as_of=as_of, part=self.part / part)

    def path(self, name: str) -> Path:
        """Return the path of an artifact, its folder made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Raise `DiskError` if the disk refuses a write, and delete unfinished files.

        Finished steps stay, for the next run to take over. A folder without any, whose generation
        was never staged, is deleted.
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
        with suppress(OSError, ValueError):  # an unreadable journal names no files
            journal = self.journal()
            own = any("record" in line and "taken_from" not in line for line in journal)
            named = {self.folder / name for line in journal for name in line.get("files", {})}
            staged = (self.folder / "manifest.json") in before
            tidy(self.folder, before | named if own or staged else set())
            with suppress(OSError):
                self.folder.parent.rmdir()  # a namespace's first run leaves nothing

    def note(
        self,
        step: str,
        seconds: float,
        record: object,
        peak_bytes: int | None = None,
        /,
        **more: object,
    ) -> None:
        """Append a finished step to the journal."""
        took = {"seconds": round(seconds, 3), "peak_bytes": peak_bytes}
        self.append({"step": step, **took, **_counts(record), **more})

    def append(self, line: dict[str, Any]) -> None:
        """Append a line to the journal."""
        with self.path("steps.jsonl").open("a") as journal:
            journal.write(json.dumps(line) + "\n")

    def journal(self) -> list[dict[str, Any]]:
        """Return the journal, in the order in which the steps finished.

        A line truncated by a crash is left out: its step did not finish.
        """
        path = self.folder / "steps.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def steps(self) -> list[dict[str, Any]]:
        """Return names, seconds and counts of the finished steps."""
        hidden = ("record", "files")
        return [{k: v for k, v in line.items() if k not in hidden} for line in self.journal()]


def highest_generation(root: Path, namespace: str) -> int:
    """Return the highest generation with a folder under `root`, or 0."""
    folder = root / namespace
    numbers = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
    return max(numbers, default=0)


def midnight(now: datetime | None = None) -> datetime:
    """Return the last midnight in UTC: a night's usual `as_of`."""
    now = now or datetime.now(UTC)
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _counts(record: object) -> dict[str, Any]:
    """Return the numbers of a record (and tables of numbers), without its paths."""
    if not hasattr(record, "__dataclass_fields__"):
        return {}
    values = asdict(record)  # type: ignore[call-overload]
    return {name: value for name, value in values.items() if isinstance(value, int | float | dict)}
