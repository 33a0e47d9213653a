"""Compiled code on disk, in a folder that is named by all that the code was made from.

::

    ~/.cache/nightshelf/compiled/<address>/    or in .nightshelf/ of the checkout where there is no
                                               home; below NUMBA_CACHE_DIR where that is set

Numba's own cache knows a function by its own file. What it calls from another file is compiled into
it too, and so are constants: after a change there numba goes on running the old code
(docs/decisions/0028-compiled-code.md).
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, UserProvidedCacheLocator

#: A folder that no process has opened for this long is deleted when a new one is made.
UNUSED_S = 14 * 86_400
#: Files of `tasks/` beside the `_jit` packages whose functions or constants are compiled into them.
OTHER_SOURCES = (
    *("features/arrays.py", "features/totals.py", "ingest/daily_log.py", "io/byte_strings.py"),
    *("io/jit.py", "io/jit_cache.py", "publish/commands.py"),
)

_TASKS = Path(__file__).parents[1]
_VERSIONS = (platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__)
_ADDRESS = re.compile("[0-9a-f]{16}")

_functions: list["Kept"] = []
_watchers: list[Callable[[int, int], None]] = []


def sources() -> list[Path]:
    """Return every file of which something is compiled, in order."""
    return sorted(_TASKS.rglob("_jit/*.py")) + [_TASKS / name for name in OTHER_SOURCES]


def address() -> str:
    """Hash all that is compiled, and the versions of what compiles it; 16 hex digits."""
    code = hashlib.sha256("\n".join(_VERSIONS).encode())
    for path in sources():
        code.update(f"\0{path.relative_to(_TASKS)}\0".encode() + path.read_bytes())
    return code.hexdigest()[:16]


@cache
def folder() -> Path | None:
    """Return this process's folder, made and marked as used; None where nothing is writable."""
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


def any_kept() -> bool:
    """Tell whether anything was compiled since the sources changed, and kept."""
    path = folder()
    return path is not None and any(path.glob("*/*.nbi"))


def _homes() -> list[Path]:
    """Return where such folders may lie, the best place first."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(given) / "nightshelf"]
    homes = [_TASKS.parent / ".nightshelf/compiled"]
    with suppress(RuntimeError):  # a user without a home
        users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        homes.insert(0, Path(users) / "nightshelf/compiled")
    return homes


def _forget_unused(home: Path) -> None:
    """Delete the folders that no process has used for long; whoever still does compiles again."""
    for path in home.iterdir():
        with suppress(OSError):
            if _ADDRESS.fullmatch(path.name) and time.time() - path.stat().st_mtime > UNUSED_S:
                shutil.rmtree(path)


class _Locator(UserProvidedCacheLocator):
    """Where numba keeps a function: in our folder, by its module's own folder and its name."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        self._cache_path = str((folder() or Path()) / Path(py_file).parent.name)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_Locator":
        return cls(py_func, py_file)


class _Impl(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012


class Kept(FunctionCache):
    """A function's compiled code on disk: found whole or not at all, and told of when it is not."""

    _impl_class = _Impl

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)  # type: ignore[no-untyped-call]
        self._ready = False
        _functions.append(self)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for these types; None where it was not, or cannot be read."""
        found = self._found(sig, target_context) if folder() else None
        self._ready = self._ready or found is not None
        if found is None:
            for tell in _watchers:
                tell(sum(each._ready for each in _functions), len(_functions))
        return found

    def _found(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # cut short, or damaged: whatever unpickling makes of it
            with suppress(OSError), _alone(Path(self.cache_path)):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, one process at a time; where it cannot be kept it works too."""
        self._ready = True
        if path := folder():
            with suppress(OSError), _alone(Path(self.cache_path)):
                if address() == path.name:  # not where the sources have changed meanwhile
                    super().save_overload(sig, data)  # type: ignore[no-untyped-call]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a folder's lock: two who write an index at once would mix up whose code is whose."""
    path.mkdir(parents=True, exist_ok=True)
    with (path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kept(dispatcher: Any) -> Any:
    """Have a compiled function's code kept on disk, and return the function."""
    dispatcher._cache = Kept(dispatcher.py_func)
    return dispatcher


@contextmanager
def compiling(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Call `tell(ready, total)` before each function that is compiled, by any thread, meanwhile.

    `total` counts all functions there are, of which a run may need some.
    """
    _watchers.append(tell)
    try:
        yield
    finally:
        _watchers.remove(tell)
