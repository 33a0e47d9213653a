"""A generation as keys and values, in one fixed order, so that a digest can be taken over it."""

import string
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from blake3 import blake3

from nightshelf.contract.keys import MAX_ID_BYTES, KeyFamily, Keys, encode_id
from tasks.artifacts.list_tables import read_lists
from tasks.artifacts.records import GenerationFiles
from tasks.io.byte_strings import Buffer, ByteStrings, byte_ranges
from tasks.io.parquet import row_groups
from tasks.publish.commands import framed
from tasks.publish.encode import encode_list, encode_lists, encode_row, encode_rows
from tasks.runs.run_folder import Run

#: The column of values that are encoded already.
ENCODED = "encoded"
_BATCH_ROWS = 5_000
_SAMPLED_GROUPS = 8
#: Bytes that an id must have encoded in a key (RFC 3986, 2.3).
_UNRESERVED = b"-._~" + string.ascii_letters.encode() + string.digits.encode()
_RESERVED = byte_ranges(bytes(set(range(256)) - set(_UNRESERVED)))


class Entry(NamedTuple):
    """One key of a generation and its value."""

    family: str
    key: str
    value: bytes


@dataclass(frozen=True)
class Entries:
    """Keys of one family and their values, in order."""

    family: str
    keys: ByteStrings
    values: ByteStrings

    def __len__(self) -> int:
        return len(self.keys)

    def slice(self, start: int, stop: int) -> "Entries":
        """Return entries `start` to `stop` (not included), without copying them."""
        return Entries(self.family, self.keys.slice(start, stop), self.values.slice(start, stop))


@dataclass(frozen=True)
class Family:
    """Source of one family's keys: a Parquet file, a row a key; a user's by `model`."""

    name: str
    path: Path
    id_column: str
    keys: KeyFamily
    model: str = ""

    @property
    def holds_lists(self) -> bool:
        """True if a row is a list, and not a feature row."""
        return self.id_column == "key"

    def ids(self, batch_rows: int) -> Iterator[list[str]]:
        """Yield the ids, batch by batch, in the file's order."""
        return (ids.to_pylist() for ids in self.id_arrays(batch_rows))

    def id_arrays(self, batch_rows: int) -> Iterator[pa.Array]:
        """Yield the ids as `ids` does, as Arrow strings."""
        with pq.ParquetFile(self.path) as parquet:
            for batch in parquet.iter_batches(batch_rows, columns=[self.id_column]):
                yield batch.column(0)

    def keys_of(self, ids: pa.Array) -> ByteStrings:
        """Return the keys of ids; one at a time where one needs encoding.

        Raises `nightshelf.InvalidKey` for what is no id.
        """
        raw_ids = ByteStrings.of(ids)
        sizes = raw_ids.lengths
        fits = bool(((sizes > 0) & (sizes <= MAX_ID_BYTES)).all())
        if self.keys.encode is not encode_id or not fits or raw_ids.contains_any(_RESERVED):
            return ByteStrings.of([self.keys.of(raw).encode() for raw in ids.to_pylist()])
        keys = pc.binary_join_element_wise(self.keys.prefix, ids, self.keys.suffix, "")
        return ByteStrings.of(keys)

    def encode(self, batch: pa.RecordBatch) -> Entries:
        """Return rows of the file as keys with their values."""
        keys, rows = self.keys_of(batch[self.id_column]), batch.drop_columns(self.id_column)
        if ENCODED in batch.schema.names:
            return Entries(self.name, keys, ByteStrings.of(batch[ENCODED]))
        values = encode_lists(rows) if self.holds_lists else encode_rows(rows)
        return Entries(self.name, keys, values)

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """Yield the file's rows, some thousands at a time."""
        read = read_lists if self.holds_lists else row_groups
        for number, group in enumerate(read(self.path)):
            group = with_encoded(group, encoded_file(self.path, number))  # noqa: PLW2901
            for start in range(0, len(group), _BATCH_ROWS):
                yield group.slice(start, _BATCH_ROWS)

    def entries(self) -> Iterator[Entry]:
        """Yield the keys with their values, in the file's order, one by one."""
        for bulk in map(self.encode, self.batches()):
            for key, value in zip(bulk.keys, bulk.values, strict=True):
                yield Entry(self.name, key.decode(), value)

    def sample(self, n: int, first: int = 0) -> list[dict[str, Any]]:
        """Return about `n` rows, spread evenly over the file; all of them where it has fewer.

        Another `first`, from 0 on, gives other rows of a file that has many more.
        """
        with pq.ParquetFile(self.path) as parquet:
            groups = range(parquet.num_row_groups)
            step = max(1, len(groups) // _SAMPLED_GROUPS)
            chosen = list(groups[first % step :: step])
            rows = []
            for group in chosen:
                table = parquet.read_row_group(group)
                stride = max(1, table.num_rows * len(chosen) // n)
                rows += table.take(np.arange(first % stride, table.num_rows, stride)).to_pylist()
        return rows

    def entry(self, row: dict[str, Any]) -> Entry:
        """Return a row of the file as a key and its value: the definition of `encode`."""
        values = dict(row)
        key = self.keys.of(values.pop(self.id_column))
        return Entry(self.name, key, (encode_list if self.holds_lists else encode_row)(values))


def encoded_file(lists: Path, group: int) -> Path:
    """Return the file of a row group's values, encoded where its lists were made."""
    return lists.with_suffix(".encoded") / f"{group}.arrow"


def save_encoded(path: Path, rows: pa.RecordBatch) -> None:
    """Encode rows of `LIST_SCHEMA`, and write the values as an Arrow file."""
    values = encode_lists(rows.drop_columns("key"))
    strings = pa.array(list(values), pa.large_binary())
    batch = pa.record_batch([strings], [ENCODED])
    with pa.ipc.new_file(path, batch.schema) as writer:
        writer.write_batch(batch)


def with_encoded(rows: pa.RecordBatch, path: Path) -> pa.RecordBatch:
    """Return rows with their encoded values beside them, where a file has those."""
    if not path.exists():
        return rows
    with pa.memory_map(str(path)) as file:
        return rows.append_column(ENCODED, pa.ipc.open_file(file).get_batch(0).column(0))


def families(run: Run, files: GenerationFiles) -> tuple[Family, ...]:
    """Return the families of a generation, in the order in which they are written and read back."""
    keys, at = Keys(run.namespace), run.generation
    lists = [
        Family("list", path, "key", keys.lists(at, model), model)
        for model, path in files.lists.items()
    ]
    others = (
        ("popular", files.popular, "key"),
        ("similar", files.similar, "key"),
        ("user", files.users, "user_id"),
        ("item", files.items, "item_id"),
    )
    found = (
        Family(name, path, column, keys.family(at, name)) for name, path, column in others if path
    )
    return (*lists, *found)


class Digest:
    """BLAKE3 over keys (without the generation's own prefix) and values, each length first.

    The prefix is left out so that two nights with the same input have the same digest
    (docs/decisions/0015-publish.md; https://github.com/BLAKE3-team/BLAKE3-specs).
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = len(prefix)
        self._hash = blake3()
        self._room = Buffer()

    def add(self, key: str, value: bytes) -> None:
        """Take in one key, which begins with the prefix, and its value."""
        tail = key[self._prefix :].encode()
        self._hash.update(b"%d %d " % (len(tail), len(value)) + tail + value)

    def add_all(self, keys: ByteStrings, values: ByteStrings) -> None:
        """Take in many keys and their values, as `add` does one after the other."""
        self._hash.update(framed(keys, values, self._prefix, self._room).data)

    def hexdigest(self) -> str:
        """Return the digest of all so far, in hexadecimal."""
        return self._hash.hexdigest()
