"""Byte strings end to end in one array, for compiled code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.io.jit import compiled

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]
#: Arrow type of text -> type of its offsets.
_WIDTHS = {
    **dict.fromkeys((pa.string(), pa.binary()), np.int32),
    **dict.fromkeys((pa.large_string(), pa.large_binary()), np.int64),
}


def byte_ranges(some: bytes) -> Bytes:
    """Return the ranges of consecutive byte values in `some`, a row each: first, length - 1."""
    values = np.unique(np.frombuffer(some, np.uint8)).astype(np.int64)
    ranges = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return np.array([(each[0], len(each) - 1) for each in ranges], np.uint8)


@dataclass(frozen=True)
class ByteStrings:
    """Byte strings end to end: string i is `data[offsets[i]:offsets[i + 1]]`; read-only.

    `offsets` has one number more than there are strings, and need not begin at 0.
    """

    offsets: Offsets
    data: Bytes

    def __post_init__(self) -> None:
        self.offsets.flags.writeable = self.data.flags.writeable = False

    @classmethod
    def of(cls, strings: Sequence[bytes] | pa.Array) -> "ByteStrings":
        """Wrap byte strings, or an Arrow array of text without nulls, which is not copied."""
        array = strings if isinstance(strings, pa.Array) else pa.array(strings, pa.large_binary())
        width = _WIDTHS[array.type]
        _, offsets, data = array.buffers()
        places = np.frombuffer(offsets, width) if offsets else np.zeros(1, width)
        return cls(
            places[array.offset : array.offset + len(array) + 1].astype(np.int64, copy=False),
            np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8),
        )

    def to_arrow(self) -> pa.Array:
        """Return the strings, which end before 2 GiB, as an Arrow array of the same memory."""
        places = pa.py_buffer(self.offsets.astype(np.int32))
        return pa.StringArray.from_buffers(len(self), places, pa.py_buffer(self.data))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, at: int) -> bytes:
        return self.data[self.offsets[at] : self.offsets[at + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        content, places = self.data.tobytes(), self.offsets.tolist()
        return (content[start:stop] for start, stop in pairwise(places))

    @property
    def lengths(self) -> Offsets:
        """Bytes a string."""
        return np.diff(self.offsets)

    @property
    def n_bytes(self) -> int:
        """Bytes of all strings together."""
        return int(self.offsets[-1] - self.offsets[0])

    def contains_any(self, ranges: Bytes) -> bool:
        """Tell whether any string contains a byte of these ranges (`byte_ranges`)."""
        return bool(_any(self.data[self.offsets[0] : self.offsets[-1]], ranges))

    def slice(self, start: int, stop: int) -> "ByteStrings":
        """Return strings `start` to `stop` (not included), without copying them."""
        return ByteStrings(self.offsets[start : stop + 1], self.data)

    def take(self, which: Offsets) -> "ByteStrings":
        """Return a copy of the strings at these positions; all end before 2 GiB."""
        return ByteStrings.of(self.to_arrow().take(pa.array(which)))

    def padded(self, slack: int) -> "ByteStrings":
        """Return a copy with `slack` readable bytes after the last string."""
        out = np.empty(self.n_bytes + slack, np.uint8)
        out[: self.n_bytes] = self.data[self.offsets[0] : self.offsets[-1]]
        return ByteStrings(self.offsets - self.offsets[0], out)


class Buffer:
    """Memory that is reused and only grows: fresh pages cost more than the bytes written."""

    def __init__(self) -> None:
        self._data = np.empty(0, np.uint8)

    def of(self, n: int) -> Bytes:
        """Return at least `n` bytes, beginning with those written earlier."""
        if n > len(self._data):
            wider = np.empty(n, np.uint8)
            wider[: len(self._data)] = self._data
            self._data = wider
        return self._data


@compiled
def _any(data: Bytes, ranges: Bytes) -> bool:
    """Tell whether a byte is in a range; without an early exit, the loop is vectorised."""
    found = False
    for at in range(len(ranges)):
        first, more = ranges[at, 0], ranges[at, 1]
        for byte in data:
            found |= np.uint8(byte - first) <= more  # a byte below the first is far above
    return found
