"""A generation as keys and values, in one fixed order, so that a digest can be taken over it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from nightshelf.contract import Keys
from nightshelf.values import RankedList
from tasks.records import LIST_SCHEMA
from tasks.run import Run

#: The one model that a night trains; apps find its name in the manifest.
MODEL = "als"
_BATCH_ROWS = 5_000
_SAMPLED_GROUPS = 16


class Entry(NamedTuple):
    """One key of a generation and its value."""

    family: str
    key: str
    value: bytes


@dataclass(frozen=True)
class Family:
    """Where the keys of one family come from: a Parquet file, a row a key."""

    name: str
    path: Path
    id_column: str
    key_of: Callable[[str], str]

    @property
    def holds_lists(self) -> bool:
        """Whether a row is a list, and not a feature row."""
        return self.id_column == "key"

    def ids(self, batch_rows: int) -> Iterator[list[str]]:
        """Yield the ids, batch by batch, in the file's order."""
        with pq.ParquetFile(self.path) as parquet:
            for batch in parquet.iter_batches(batch_rows, columns=[self.id_column]):
                yield batch.column(0).to_pylist()

    def entries(self) -> Iterator[Entry]:
        """Yield the keys with their values, in the file's order."""
        with pq.ParquetFile(self.path) as parquet:
            for batch in parquet.iter_batches(_BATCH_ROWS):
                yield from map(self._entry, batch.to_pylist())

    def sample(self, n: int) -> list[Entry]:
        """Return about `n` entries, spread evenly over the file; all of them where it has fewer."""
        with pq.ParquetFile(self.path) as parquet:
            groups = range(parquet.num_row_groups)
            chosen = list(groups[:: max(1, len(groups) // _SAMPLED_GROUPS)])
            rows = []
            for group in chosen:
                table = parquet.read_row_group(group)
                stride = max(1, table.num_rows * len(chosen) // n)
                rows += table.take(np.arange(0, table.num_rows, stride)).to_pylist()
        return [self._entry(row) for row in rows]

    def _entry(self, row: dict[str, Any]) -> Entry:
        key = self.key_of(row.pop(self.id_column))
        return Entry(self.name, key, _encode_list(row) if self.holds_lists else _encode_row(row))


def families(
    run: Run, lists: Path, popular: Path, similar: Path, users: Path, items: Path
) -> tuple[Family, ...]:
    """Return the families of a generation, in the order in which they are written and read back."""
    keys, generation = Keys(run.namespace), run.generation
    return (
        Family("list", lists, "key", lambda raw: keys.list(generation, MODEL, raw)),
        Family("popular", popular, "key", lambda raw: keys.popular(generation, raw)),
        Family("similar", similar, "key", lambda raw: keys.similar(generation, raw)),
        Family("user", users, "user_id", lambda raw: keys.user(generation, raw)),
        Family("item", items, "item_id", lambda raw: keys.item(generation, raw)),
    )


class Digest:
    """SHA-256 over keys (without the generation's own prefix) and values, each length first.

    The prefix is left out so that two nights with the same input have the same digest.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = len(prefix)
        self._hash = hashlib.sha256()

    def add(self, key: str, value: bytes) -> None:
        """Take in one key, which begins with the prefix, and its value."""
        tail = key[self._prefix :].encode()
        self._hash.update(b"%d %d " % (len(tail), len(value)) + tail + value)

    def hexdigest(self) -> str:
        """Return the digest of all so far, in hexadecimal."""
        return self._hash.hexdigest()


def _encode_list(row: dict[str, Any]) -> bytes:
    reasons = (
        (code, what) if what else (code,)
        for code, what in zip(row["codes"], row["because"], strict=True)
    )
    return RankedList(tuple(row["item_ids"]), tuple(row["scores"]), tuple(reasons)).to_json()


def _encode_row(row: dict[str, Any]) -> bytes:
    """Encode a feature row as JSON; times are ISO 8601 in UTC."""
    return orjson.dumps(row, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)


def decode_lists(ids: list[str], values: list[bytes]) -> pa.RecordBatch:
    """Turn values of one family back into rows of `LIST_SCHEMA`, under their ids.

    Raises `nightshelf.CorruptValue` where a value is no list.
    """
    rows = []
    for raw, value in zip(ids, values, strict=True):
        ranked = RankedList.from_json(value)
        reasons = [(*reason, "", "")[:2] for reason in ranked.reasons]  # many need nothing
        codes, because = ([reason[at] for reason in reasons] for at in (0, 1))
        columns = (raw, ranked.items, ranked.scores, codes, because)
        rows.append(dict(zip(LIST_SCHEMA.names, columns, strict=True)))
    return pa.RecordBatch.from_pylist(rows, LIST_SCHEMA)
