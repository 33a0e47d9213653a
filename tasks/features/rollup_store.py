"""Rollups stored from night to night, beside the runs, under a hash of their sources.

::

    runs/<namespace>/rollups/
        <UTC day>-<address>.parquet    a day
        merged-<address>.arrow         all days of an earlier night, under one dictionary

A day's address is a hash of its clean events, of the code that adds them up, and of the shard of
users where there are several (`tasks/features/user_shards.py`), so that a file is either right or
not found; a truncated, damaged or foreign one counts as not found. Files get their name when they
are whole, and two nights that write the same name write the same bytes.

A night marks every file of its window as used, and deletes those unused for `UNUSED_S`: days that
left the log, contents corrected since, leftovers of killed writers. That is far longer than a night
works with a file, and a missing one is made again.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from tasks.features.rollup import Rollup
from tasks.features.rollup_file import (
    Addresses,
    days_in,
    read_day,
    read_merged,
    write_day,
    write_merged,
)
from tasks.features.user_shards import Shard
from tasks.ingest.daily_log import DAY_US, Day
from tasks.io.disk import begun
from tasks.runs.run_folder import Run

UNUSED_S = 14 * 86_400

_CODE = (
    *("features/_jit/rollup.py", "features/arrays.py", "features/rollup.py"),
    *("features/rollup_file.py", "features/user_shards.py", "ingest/daily_log.py"),
    *("io/byte_strings.py", "io/jit.py", "io/columns.py", "io/parallel.py"),
)
_LIBRARIES = ("numba", "numpy", "pyarrow")


@dataclass(frozen=True)
class Rollups:
    """The rollups of a namespace."""

    folder: Path

    @staticmethod
    def of(run: Run) -> "Rollups":
        """Return the rollups beside a run."""
        return Rollups(run.root / run.namespace / "rollups")

    def day(self, number: int, address: str) -> Rollup | None:
        """Return a day's rollup, or None."""
        found = read_day(self._path(number, address))
        return found[0] if found and found[1] == {number: address} else None

    def keep_day(self, number: int, address: str, rollup: Rollup) -> None:
        """Store a day's rollup."""
        with self._writing(self._path(number, address)) as file:
            write_day(file, rollup, {number: address})

    def merged(self, days: Addresses) -> tuple[Rollup, Addresses]:
        """Return the merged rollup with the most of these days, and its days."""
        held = {path: days_in(path) for path in sorted(self.folder.glob("merged-*.arrow"))}
        common = {path: len(have.items() & days.items()) for path, have in held.items()}
        for path in sorted(common, key=lambda path: (-common[path], len(held[path]))):
            if common[path] and (found := read_merged(path)):
                _use(path)
                return found
        return Rollup.empty(), {}

    def keep_merged(self, days: Addresses, rollup: Rollup) -> None:
        """Store the merged rollup of all these days."""
        address = _hash(*(days[number] for number in sorted(days)))
        with self._writing(self.folder / f"merged-{address}.arrow") as file:
            write_merged(file, rollup, days)

    def use(self, days: Addresses) -> None:
        """Mark the rollups of a night's days as used, and delete those unused for `UNUSED_S`."""
        for number, address in days.items():
            _use(self._path(number, address))
        for path in self.folder.glob("*"):
            with suppress(FileNotFoundError):  # another night was quicker
                if time.time() - path.stat().st_mtime > UNUSED_S:
                    path.unlink()

    def _path(self, number: int, address: str) -> Path:
        day = datetime.fromtimestamp(number * DAY_US // 1_000_000, UTC)
        return self.folder / f"{day:%Y-%m-%d}-{address}.parquet"

    @contextmanager
    def _writing(self, path: Path) -> Iterator[IO[bytes]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (
            NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as partial,
            begun(Path(partial.name)),
        ):
            yield partial
            partial.flush()
            os.fsync(partial.fileno())
        Path(partial.name).replace(path)


def addresses(days: Sequence[Day], shard: Shard) -> dict[int, str]:
    """Return the address of each day's rollup of a shard."""
    made_from = (_made_by(), shard.name) if shard.name else (_made_by(),)
    return {day.number: _hash(day.digest, *made_from) for day in days}


def _use(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.utime(path)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@cache
def _made_by() -> str:
    """Hash the code that makes a rollup: a fixed bug invalidates what it added up."""
    code = [(Path(__file__).parents[1] / name).read_text() for name in _CODE]
    return _hash(*code, *(f"{name} {version(name)}" for name in _LIBRARIES))
