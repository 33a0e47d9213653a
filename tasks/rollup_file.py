"""A rollup as a file: NumPy's npz, whose every array has a checksum that is proven as it is read.

Arrays are named as in `Rows`; `users`, `items` and `types` are texts in UTF-8, text n from byte
`users_at[n]` to `users_at[n + 1]`; `days` is JSON, the days added up with their addresses.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.lib.npyio import NpzFile

from tasks.days import DAY_US
from tasks.rollup import Rollup
from tasks.rollup_types import Longs, Rows
from tasks.texts import Texts

#: UTC days since 1970-01-01 -> addresses.
Addresses = Mapping[int, str]

_BROKEN = (OSError, ValueError, LookupError, RuntimeError, EOFError, BadZipFile)
_NONE = Rollup.empty()


def write_rollup(file: IO[bytes], rollup: Rollup, days: Addresses) -> None:
    """Write a rollup, and the days that it is of."""
    said = json.dumps({str(number): days[number] for number in sorted(days)})
    arrays = {"days": np.frombuffer(said.encode(), np.uint8), **rollup.rows._asdict()}
    for name in ("users", "items", "types"):
        texts = Texts.of(getattr(rollup, name))
        arrays[f"{name}_at"] = texts.offsets - texts.offsets[0]
        arrays[name] = texts.data[texts.offsets[0] : texts.offsets[-1]]
    np.savez(file, **arrays)


def read_rollup(path: Path) -> tuple[Rollup, dict[int, str]] | None:
    """Return the rollup in a file and its days; none where it is not whole or is not ours."""
    with suppress(*_BROKEN), path.open("rb") as opened, NpzFile(opened) as file:
        users, items, types = (_texts(file, name) for name in ("users", "items", "types"))
        rows = Rows(*(_array(file, name, of.dtype) for name, of in _NONE.rows._asdict().items()))
        rollup, days = Rollup(users, items, types, rows), _days(file)
        if _sound(rollup, days):
            return rollup, days
    return None


def days_in(path: Path) -> dict[int, str]:
    """Return the days of the rollup in a file; none where it cannot be read."""
    with suppress(*_BROKEN), path.open("rb") as opened, NpzFile(opened) as file:
        return _days(file)
    return {}


def _days(file: Any) -> dict[int, str]:
    days = json.loads(_array(file, "days", np.uint8).tobytes())
    return {int(number): str(address) for number, address in days.items()}


def _texts(file: Any, name: str) -> pa.StringArray:
    at, data = _array(file, f"{name}_at", np.int64), _array(file, name, np.uint8)
    buffers = [None, pa.py_buffer(at), pa.py_buffer(data)]
    texts = pa.Array.from_buffers(pa.large_string(), len(at) - 1, buffers)
    texts.validate(full=True)
    return texts.cast(pa.string())


def _array(file: Any, name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = file[name]
    if array.dtype != dtype or array.ndim != 1:
        raise ValueError(name)
    return array


def _sound(rollup: Rollup, days: Addresses) -> bool:
    """Return whether every number names something, and all rows are of days between these."""
    rows, users = rollup.rows, len(rollup.users)
    least, most = (int(each(rows.last_us)) // DAY_US for each in (np.min, np.max))
    return (
        min(days) <= least <= most <= max(days)
        and len(rows.item) == len(rows.type) == len(rows.last_us)
        and _between(rows.item, len(rollup.items))
        and _between(rows.type, len(rollup.types))
        and _cuts(rows.start, users, len(rows.item))
        and len({len(column) for column in rows[5:]}) == 1
        and _between(rows.row, len(rows.item))
        and _cuts(rows.extra_start, users, len(rows.row))
    )


def _between(numbers: npt.NDArray[Any], n: int) -> bool:
    return not len(numbers) or bool(numbers.min() >= 0 and numbers.max() < n)


def _cuts(bounds: Longs, n_parts: int, n: int) -> bool:
    """Return whether these bounds cut `n` rows into so many parts."""
    return (
        len(bounds) == n_parts + 1
        and (bounds[0], bounds[-1]) == (0, n)
        and bool((np.diff(bounds) >= 0).all())
    )
