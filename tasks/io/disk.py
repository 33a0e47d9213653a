"""A disk that is full, read-only or over its quota: one error, and nothing left half written.

Arrow, DuckDB, numpy and the system report it in different ways.
"""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nightshelf.text import size_text
from tasks.errors import DiskError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
#: Messages of errors without a number: numpy's half-written array, DuckDB's spill.
_FULL_WORDS = re.compile(
    r"no space left|disk quota|file too large|max_temp_directory_size|requested and \d+ written",
    re.I,
)
_CLOSED_WORDS = re.compile(r"read-only file system|permission denied|not a directory", re.I)


@contextmanager
def written_whole(folder: Path, what: str, advice: str) -> Iterator[None]:
    """Raise `DiskError` where the disk under `folder` refuses a write.

    `what` names the work, `advice` says what to do once there is room.
    """
    try:
        yield
    except DiskError:
        raise
    except Exception as error:
        if why := refusal(error, folder):
            raise DiskError(f"{what}: {why}. What is live goes on being served. {advice}") from None
        raise


@contextmanager
def begun(partial: Path) -> Iterator[None]:
    """Delete a temporary file where its writing fails."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def refusal(error: BaseException, folder: Path) -> str | None:
    """Say how the disk refused, where, and how much was free; `None` for any other error.

    An unreadable input is another error: it does not lie under `folder`.
    """
    each: BaseException | None = error
    while each is not None:
        where = getattr(each, "filename", None) or folder
        ours = Path(str(where)).absolute().is_relative_to(folder.absolute())
        number = each.errno if isinstance(each, OSError) and ours else None
        if number in _FULL or _FULL_WORDS.search(str(each)):
            return f"the disk under {where} is full ({_room(folder)})"
        if number in _CLOSED or _is_closed(each):
            return f"{where} cannot be written ({_first_line(each)}; {_room(folder)})"
        each = each.__cause__ or each.__context__
    return None


def tidy(folder: Path, keep: set[Path]) -> None:
    """Delete the files under `folder` that are not in `keep`, and the empty folders."""
    for path in sorted(folder.rglob("*"), reverse=True):
        with suppress(OSError):  # a folder that is not empty, or a disk that is read-only
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif path not in keep:
                path.unlink()
    with suppress(OSError):
        folder.rmdir()


def _is_closed(error: BaseException) -> bool:
    of_a_library = type(error).__module__.partition(".")[0] in ("duckdb", "_duckdb", "pyarrow")
    without_number = isinstance(error, OSError) and error.errno is None
    return (of_a_library or without_number) and bool(_CLOSED_WORDS.search(str(error)))


def _room(folder: Path) -> str:
    """Return the free space where the folder is, or would be."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(there)
    return f"{size_text(usage.free)} free of {size_text(usage.total)}"


def _first_line(error: BaseException) -> str:
    said = getattr(error, "strerror", None) or str(error)
    return str(said).splitlines()[0].strip()
