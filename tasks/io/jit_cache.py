"""Compiled code on disk, in a folder named by a hash of its sources.

::

    ~/.cache/nightshelf/compiled/<address>/    or in .nightshelf/ of the checkout where there is no
                                               home; below NUMBA_CACHE_DIR where that is set

Numba's own cache knows a function by its own file. Functions and constants of other files are
compiled into it too, and after a change there numba goes on running the old code
(docs/decisions/0028-compiled-code.md).
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import llvmlite
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, UserProvidedCacheLocator

from tasks.io.compiling import watchers

#: A folder not opened for this long is deleted when a new one is made.
UNUSED_S = 14 * 86_400
#: Longest wait for code that another process compiles.
_LONGEST_WAIT_S = 120
#: Files of `tasks/` outside the `_jit` packages whose functions or constants are compiled.
OTHER_SOURCES = (
    *(
        "features/arrays.py",
        "features/lengths.py",
        "ingest/daily_log.py",
        "io/byte_strings.py",
        "io/jit.py",
    ),
    *("io/jit_cache.py", "publish/commands.py"),
)
#: An environment variable that decides how products are compiled (`recommend/_jit/int16_dot.py`).
SWITCH = "NIGHTSHELF_PLAIN_DOT"

_TASKS = Path(__file__).parents[1]
_VERSIONS = (platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__)
_ADDRESS = re.compile("[0-9a-f]{16}")

_functions: list["CodeCache"] = []


def sources() -> list[Path]:
    """Return every file with compiled code, in order."""
    return sorted(_TASKS.rglob("_jit/*.py")) + [_TASKS / name for name in OTHER_SOURCES]


def address() -> str:
    """Hash the sources, the versions of the compilers and `SWITCH`; 16 hex digits."""
    code = hashlib.sha256("\n".join((*_VERSIONS, os.environ.get(SWITCH, "0"))).encode())
    for path in sources():
        code.update(f"\0{path.relative_to(_TASKS)}\0".encode() + path.read_bytes())
    return code.hexdigest()[:16]


@cache
def folder() -> Path | None:
    """Return this process's folder, made and marked as used; None where none is writable."""
    own = address()
    for home in _homes():
        path = home / own
        with suppress(OSError):
            if not path.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                _forget_unused(home)
            os.utime(path)
            if os.access(path, os.W_OK):
                return path
    return None


def any_cached() -> bool:
    """Tell whether the folder of the present sources holds compiled code."""
    path = folder()
    return path is not None and any(path.glob("*/*.nbi"))


def _homes() -> list[Path]:
    """Return the parent folders to try, best first."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(given) / "nightshelf"]
    homes = [_TASKS.parent / ".nightshelf/compiled"]
    with suppress(RuntimeError):  # a user without a home
        users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        homes.insert(0, Path(users) / "nightshelf/compiled")
    return homes


def _forget_unused(home: Path) -> None:
    """Delete the folders unused for `UNUSED_S`; a process that needs one compiles again."""
    for path in home.iterdir():
        with suppress(OSError):
            if _ADDRESS.fullmatch(path.name) and time.time() - path.stat().st_mtime > UNUSED_S:
                shutil.rmtree(path)


class _Locator(UserProvidedCacheLocator):
    """Place of a function's code: in our folder, by its module's folder and its name."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        self._cache_path = str((folder() or Path()) / Path(py_file).parent.name)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_Locator":
        return cls(py_func, py_file)


class _Impl(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012


class CodeCache(FunctionCache):
    """A function's compiled code on disk: read whole or not at all; misses are reported."""

    _impl_class = _Impl

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)  # type: ignore[no-untyped-call]
        self._ready = False
        self._claim: TextIO | None = None
        _functions.append(self)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code for these types; None where there is none, or it cannot be read."""
        found = self._found(sig, target_context) if folder() else None
        if found is None and folder() and self._claim is None:
            self._claim = _claimed(Path(self.cache_path) / f"{self._impl.filename_base}.lock")
            found = self._found(sig, target_context)  # another process may have compiled it
            if found is not None:
                self._release()
        self._ready = self._ready or found is not None
        if found is None:
            for report in watchers:
                report(sum(each._ready for each in _functions), len(_functions))
        return found

    def _found(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # truncated or damaged: unpickling may raise anything
            with suppress(OSError), _locked(Path(self.cache_path)):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write compiled code, one process at a time; a disk that refuses is ignored."""
        self._ready = True
        if path := folder():
            with suppress(OSError), _locked(Path(self.cache_path)):
                if address() == path.name:  # not if the sources have changed meanwhile
                    super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        self._release()

    def _release(self) -> None:
        if self._claim is not None:
            self._claim.close()
        self._claim = None


def _claimed(path: Path) -> TextIO | None:
    """Return a function's lock file, locked by this process, which is to compile the function.

    A process that comes second waits for the code rather than compiling it too, but not for ever.
    Locks follow calls, of which there is no circle.
    """
    deadline = time.monotonic() + _LONGEST_WAIT_S
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a")
        while time.monotonic() < deadline:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            time.sleep(0.05)
        lock.close()
    return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a folder's lock: numba's index must have one writer at a time."""
    path.mkdir(parents=True, exist_ok=True)
    with (path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(dispatcher: Any) -> Any:
    """Cache a compiled function's code on disk, and return the function."""
    dispatcher._cache = CodeCache(dispatcher.py_func)
    return dispatcher
