"""Many byte strings in one piece of memory, as compiled code likes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.io.jit import compiled

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]
#: How wide Arrow's own offsets are, in each type of text.
_WIDTHS = {
    **dict.fromkeys((pa.string(), pa.binary()), np.int32),
    **dict.fromkeys((pa.large_string(), pa.large_binary()), np.int64),
}


def runs_of(some: bytes) -> Bytes:
    """Return the runs of neighbours among `some`, a row each: its first byte, and how many more."""
    sought = np.unique(np.frombuffer(some, np.uint8)).astype(np.int64)
    runs = np.split(sought, np.flatnonzero(np.diff(sought) > 1) + 1)
    return np.array([(run[0], len(run) - 1) for run in runs], np.uint8)


@dataclass(frozen=True)
class Texts:
    """Byte strings end to end: string i is `data[offsets[i]:offsets[i + 1]]`; read-only.

    `offsets` has one number more than there are strings, and need not begin at 0.
    """

    offsets: Offsets
    data: Bytes

    def __post_init__(self) -> None:
        self.offsets.flags.writeable = self.data.flags.writeable = False

    @classmethod
    def of(cls, strings: Sequence[bytes] | pa.Array) -> "Texts":
        """Take over byte strings, or an Arrow array of text without nulls."""
        array = strings if isinstance(strings, pa.Array) else pa.array(strings, pa.large_binary())
        width = _WIDTHS[array.type]
        _, offsets, data = array.buffers()
        places = np.frombuffer(offsets, width) if offsets else np.zeros(1, width)
        return cls(
            places[array.offset : array.offset + len(array) + 1].astype(np.int64, copy=False),
            np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8),
        )

    def to_arrow(self) -> pa.Array:
        """Return the strings, which must be UTF-8 and end before 2 GiB, as Arrow's, uncopied."""
        places = pa.py_buffer(self.offsets.astype(np.int32))
        return pa.StringArray.from_buffers(len(self), places, pa.py_buffer(self.data))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, at: int) -> bytes:
        return self.data[self.offsets[at] : self.offsets[at + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self[at] for at in range(len(self)))

    @property
    def lengths(self) -> Offsets:
        """Bytes a string."""
        return np.diff(self.offsets)

    @property
    def n_bytes(self) -> int:
        """Bytes of all strings together."""
        return int(self.offsets[-1] - self.offsets[0])

    def holds_any(self, runs: Bytes) -> bool:
        """Tell whether any string holds a byte of these runs (`runs_of`)."""
        return bool(_any(self.data[self.offsets[0] : self.offsets[-1]], runs))

    def slice(self, start: int, stop: int) -> "Texts":
        """Return strings `start` to `stop` (not included), without copying them."""
        return Texts(self.offsets[start : stop + 1], self.data)

    def roomy(self, slack: int) -> "Texts":
        """Return a copy behind whose last string that many bytes more may be read."""
        out = np.empty(self.n_bytes + slack, np.uint8)
        out[: self.n_bytes] = self.data[self.offsets[0] : self.offsets[-1]]
        return Texts(self.offsets - self.offsets[0], out)


class Room:
    """Memory that is used again and again: new memory costs the system more than the bytes do."""

    def __init__(self) -> None:
        self._data = np.empty(0, np.uint8)

    def of(self, n: int) -> Bytes:
        """Return at least `n` bytes; they begin with what was written to them before."""
        if n > len(self._data):
            wider = np.empty(n, np.uint8)
            wider[: len(self._data)] = self._data
            self._data = wider
        return self._data


@compiled
def _any(data: Bytes, runs: Bytes) -> bool:
    """Tell whether a byte is of a run; without a way out early, many bytes go at a time."""
    found = False
    for at in range(len(runs)):
        first, more = runs[at, 0], runs[at, 1]
        for byte in data:
            found |= np.uint8(byte - first) <= more  # a byte below the first is far above
    return found
