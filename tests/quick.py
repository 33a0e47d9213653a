"""Run the unit tests of the packages that differ from `origin/main`: the tests of `make quick`.

A package's tests are those of its mirror below `tests/`, without those marked `slow`, `e2e` or
`real_data`, and the doctests of its changed files.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

_BASE = "origin/main"
_TESTS = Path("tests")
_ROOMS = {_TESTS / room for room in ("data", "flows", "lookup", "nightshelf_ops", "tasks")}
_E2E = {("tests", "e2e"), ("tests", "faults")}
_UNIT = "not slow and not e2e and not real_data"


def changed_files() -> list[Path]:
    """Return the Python files that differ from where this branch left `origin/main`."""
    base = _git("merge-base", "HEAD", _BASE) or ["HEAD"]
    names = _git("diff", "--name-only", *base) + _git("ls-files", "--others", "--exclude-standard")
    files = [Path(name) for name in names if name.endswith(".py") and Path(name).exists()]
    return [file for file in files if file.parts[:2] not in _E2E]


def mirrors(files: Iterable[Path]) -> list[Path]:
    """Return the test files and folders of these files' packages, none inside another."""
    found = sorted({tests for file in files if (tests := _mirror(file))})
    return [path for path in found if not any(outer in path.parents for outer in found)]


def _mirror(file: Path) -> Path | None:
    """Return a test itself, the folder that mirrors a file's package, or a top file's own test."""
    if file.parts[0] == _TESTS.name:
        own, folder = file, file.parent
    else:
        mirror = _TESTS / file.as_posix().replace("lookup/nightshelf/", "lookup/")
        own, folder = mirror.with_name(f"test_{file.name}"), mirror.parent
    if file.name.startswith("test_") or folder in _ROOMS:
        return own if own.exists() else None
    near = (p for p in (folder, *folder.parents) if p.is_dir() and _TESTS in p.parents)
    return next((p for p in near if p not in _ROOMS), None)


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


if __name__ == "__main__":
    changed = changed_files()
    sources = [file for file in changed if file.parts[0] != _TESTS.name]
    doctests = [file for file in sources if ">>>" in file.read_text()]
    chosen = [str(path) for path in [*mirrors(changed), *doctests]]
    print("unit tests of:", *(chosen or [f"nothing: no package differs from {_BASE}"]), flush=True)
    if chosen:
        code = pytest.main([*chosen, "-q", "-n", "2", "--dist", "loadfile", "-m", _UNIT])
        sys.exit(0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code)
