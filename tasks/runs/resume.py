"""Resuming an unfinished night: finished steps are taken over, not computed again.

A restarted night takes a new number, and links the files of finished steps of an unfinished run of
the same night: same `as_of`, input files, settings and code. Where files were added meanwhile, as
tracked events are each minute, the log is cleaned anew; if that makes the same clean log, the rest
is taken over. Finished files never change, so they can be shared (docs/decisions/0013-resume.md).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import distributions
from itertools import takewhile
from pathlib import Path

from tasks.io.parquet import file_hash
from tasks.runs.journal import step
from tasks.runs.run_folder import Run

_MADE_FROM = "made_from.json"
#: Files of the clean log that the steps after it read.
_CLEAN = ("events.parquet", "items.parquet", "users.parquet")


@dataclass(frozen=True)
class Taken:
    """Number of steps taken over, and the run they come from (`None`: none)."""

    n_steps: int
    source: int | None


@step
def take_over(run: Run, digests: Mapping[str, str], config_hash: str) -> Taken:
    """Take over the finished steps of an unfinished run of the same night."""
    made_from = _made_from(run, digests, config_hash)
    run.path(_MADE_FROM).write_text(json.dumps(made_from, indent=2) + "\n")
    return _taken(run, _unfinished(run, lambda source: source == made_from))


@step
def take_over_rest(run: Run) -> Taken:
    """Take over the steps after the clean log, where other input files led to the same one.

    Nothing where the clean log is itself taken over: then the rest is too.
    """
    made_from, mine = _load(run.path(_MADE_FROM)), _clean_files(run)
    taken = any("taken_from" in line for line in run.journal())
    if taken or not mine or not isinstance(made_from, dict):
        return Taken(0, None)

    def same(source: object) -> bool:
        return isinstance(source, dict) and source | {"inputs": None} == made_from | {
            "inputs": None
        }

    return _taken(run, _unfinished(run, same, lambda source: _clean_files(source) == mine))


def find_done(run: Run, digests: Mapping[str, str], config_hash: str, last_step: str) -> Run | None:
    """Return the newest run of the same night, before `run`, that finished `last_step`.

    A run whose files are gone or altered does not count.
    """
    made_from = _made_from(run, digests, config_hash)
    for source in _older(run):
        journal = source.journal() if _load(source.path(_MADE_FROM)) == made_from else []
        whole = all(_intact(line.get("files", {}), source.folder) for line in journal)
        if whole and any(line["step"] == last_step for line in journal):
            return source
    return None


def adopt(run: Run, source: Run) -> int:
    """Link the files of another run's computed steps into this folder; return their number.

    A step whose files are gone or altered is computed again, with all after it. Steps that this run
    has finished itself are passed over.
    """
    have = {line["step"] for line in run.journal()}
    computed = (line for line in source.journal() if "record" in line and line["step"] not in have)
    intact = list(takewhile(lambda line: _intact(line["files"], source.folder), computed))
    for line in intact:
        for name in line["files"]:
            link(source.folder / name, run.path(name))
        run.append({"taken_from": source.generation, **line})
    return len(intact)


def _made_from(run: Run, digests: Mapping[str, str], config_hash: str) -> dict[str, object]:
    return {
        "as_of": run.as_of.isoformat(),
        "inputs": dict(digests),
        "config": config_hash,
        "code": _code_hash(),
    }


def _unfinished(
    run: Run, same: Callable[[object], bool], also: Callable[[Run], bool] = lambda _: True
) -> Run | None:
    """Return the run with the most finished steps of the same night, the newest of equals.

    Runs older than a finished one do not count: starting that night again means computing it anew.
    """
    found: dict[Run, int] = {}
    for source in _older(run):
        journal = source.journal() if same(_load(source.path(_MADE_FROM))) and also(source) else []
        if any(line["step"] == "write_report" for line in journal):
            break
        if done := sum("record" in line for line in journal):
            found[source] = done
    return max(found, key=found.__getitem__, default=None)


def _taken(run: Run, source: Run | None) -> Taken:
    """Take over the steps of an unfinished run, if there is one."""
    return Taken(adopt(run, source), source.generation) if source else Taken(0, None)


def _clean_files(run: Run) -> dict[str, str] | None:
    """Return the hashes of the clean log's files, if a run has them."""
    for line in run.journal():
        if line["step"] == "clean_events" and "files" in line:
            return {name: line["files"].get(name, "") for name in _CLEAN}
    return None


def _older(run: Run) -> list[Run]:
    """Return the runs before this one with a `made_from.json`, newest first."""
    paths = (run.root / run.namespace).glob(f"*/{_MADE_FROM}")
    numbers = {int(path.parent.name) for path in paths if path.parent.name.isdecimal()}
    return [
        replace(run, generation=each)
        for each in sorted(numbers, reverse=True)
        if each < run.generation
    ]


def _load(path: Path) -> object:
    with suppress(ValueError):  # truncated by a crash
        return json.loads(path.read_text())
    return None


def _intact(files: Mapping[str, str], folder: Path) -> bool:
    return all(
        (folder / name).is_file() and file_hash(folder / name) == content
        for name, content in files.items()
    )


def link(source: Path, target: Path) -> None:
    """Link a file that never changes, or copy it if it cannot be linked."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _code_hash() -> str:
    """Hash the code of the steps, and the names and versions of installed packages.

    Results of a bug must not be taken over once it is fixed.
    """
    root = Path(__file__).parents[1]
    installed = sorted(f"{each.name} {each.version}" for each in distributions())
    code = hashlib.sha256("\n".join(installed).encode())
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".py", ".sql")):
        code.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return code.hexdigest()
