"""Peak memory of a step: the highest resident memory of this process meanwhile.

Linux keeps the highest since the process began (`VmHWM` of /proc/self/status, source: proc(5)), and
sets it back when 5 is written to /proc/self/clear_refs. Where that is refused, there is no figure.
Child processes are not in it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(eq=False)
class Peak:
    """The highest resident memory in bytes; none where the system does not tell."""

    n_bytes: int | None = None


#: Peaks that are being measured: a step may be inside another.
_open: list[Peak] = []


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the peak of a block; it is complete once the block has ended."""
    peak = Peak()
    _note()
    _open.append(peak)
    try:
        yield peak
    finally:
        _note()
        _open.remove(peak)


def _note() -> None:
    """Add the peak so far to all that are being measured, and set it back."""
    highest = _highest()
    for peak in _open:
        if highest is not None:
            peak.n_bytes = max(highest, peak.n_bytes or 0)


def _highest() -> int | None:
    """Return the highest resident memory since the last call in bytes, and set it back."""
    try:
        lines = _STATUS.read_text().splitlines()
        _RESET.write_text("5")
    except OSError:
        return None
    found = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return next((1024 * int(kilobytes) for kilobytes in found), None)
