"""The exact search over blocks of users in Spark: the one-machine night's, a block a task.

The driver writes what a block needs into a folder that it shares with the executors; an executor
reads it, searches, explains, encodes, and writes the block's lists and encoded values as files.
The data of all blocks is broadcast.
"""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp
from pyspark.sql import SparkSession

from tasks.artifacts.catalogue import Catalogue
from tasks.artifacts.factors import Factors
from tasks.artifacts.scoring import Scoring
from tasks.io.blas import one_blas_thread
from tasks.publish.keyspace import save_encoded
from tasks.recommend._jit.item_blocks import ItemIndex
from tasks.recommend.exact_search import Block, block_users, index_of, rank
from tasks.recommend.settings import TopNSettings

#: Turns a block's positions into rows of `LIST_SCHEMA`, of what all blocks need, what one needs.
Finish = Callable[["Shared", Any, Block], pa.RecordBatch]


@dataclass(frozen=True, eq=False)
class Shared:
    """The data of all blocks; `more` is that of its `finish`."""

    items: Factors
    neighbours: sp.csr_matrix | None
    catalogue: Catalogue
    settings: TopNSettings
    size: int
    finish: Finish
    more: Any = None

    def scoring(self, users: Factors, profiles: sp.csr_matrix | None) -> Scoring:
        """Return the scoring of some users."""
        return Scoring(users, self.items, profiles, self.neighbours)


class Part(NamedTuple):
    """The data of one block: its users' rows; `more` is that of `finish`."""

    scoring: tuple[Factors, sp.csr_matrix | None]
    seen: sp.csr_matrix
    more: Any


class Listed(NamedTuple):
    """A block's rows, in order, and its counts."""

    rows: pa.RecordBatch
    encoded: Path
    n_lists: int
    n_full: int
    stop: int


def search(
    session: SparkSession,
    folder: Path,
    scoring: Scoring,
    catalogue: Catalogue,
    seen: sp.csr_matrix,
    settings: TopNSettings,
    finish: Finish,
    more: Any,
    more_of: Callable[[npt.NDArray[np.int64]], Any],
) -> Iterator[Listed]:
    """Yield the lists of all users of a scoring, block by block, in order, as `rank` does.

    `folder` is one of its own; `more` goes to all blocks, `more_of(rows)` to that of those users.
    """
    n_users = len(scoring.users)
    size = block_users(n_users, catalogue, settings, index_of(scoring, catalogue))
    shared = Shared(scoring.items, scoring.neighbours, catalogue, settings, size, finish, more)
    for first in range(0, n_users, size):
        rows = np.arange(first, min(first + size, n_users))
        of = scoring.of(rows)
        part = Part((of.users, of.profiles), seen[rows], more_of(rows))
        (folder / f"{first}.part").write_bytes(pickle.dumps(part))
    broadcast = session.sparkContext.broadcast(pickle.dumps(shared))

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for first in batch.column(0).to_pylist():
                yield _list_part(folder, first, broadcast.value)

    n_blocks = -(-n_users // size)
    numbers = session.range(0, n_blocks * size, size, numPartitions=max(1, n_blocks))
    done = numbers.mapInArrow(work, "first long, n_lists long, n_full long").collect()
    for row in sorted(done):
        with pa.memory_map(str(folder / f"{row['first']}.lists")) as file:
            lists = pa.ipc.open_file(file).get_batch(0)
        stop = min(row["first"] + size, n_users)
        encoded = folder / f"{row['first']}.encoded"
        yield Listed(lists, encoded, row["n_lists"], row["n_full"], stop)


#: The data and index of the search in a folder, in an executor: one search at a time.
_indexed: dict[Path, tuple[Shared, ItemIndex]] = {}


def _list_part(folder: Path, first: int, shared: bytes) -> pa.RecordBatch:
    """List the users of a block, in an executor, and write its files; return its counts."""
    part: Part = pickle.loads((folder / f"{first}.part").read_bytes())
    if folder not in _indexed:
        _indexed.clear()
        loaded: Shared = pickle.loads(shared)
        none = np.zeros((0, loaded.items.shape[1]), np.float32)
        links = None if loaded.neighbours is None else loaded.neighbours[:0]
        _indexed[folder] = loaded, index_of(loaded.scoring(none, links), loaded.catalogue)
    known, index = _indexed[folder]
    with one_blas_thread():
        scoring = known.scoring(*part.scoring)
        found = rank(scoring, known.catalogue, part.seen, known.settings, index, known.size)
        (block,) = found
        rows = known.finish(known, part.more, block)
    with pa.ipc.new_file(str(folder / f"{first}.lists"), rows.schema) as writer:
        writer.write_batch(rows)
    save_encoded(folder / f"{first}.encoded", rows)
    n_lists = int((block.lengths > 0).sum())
    n_full = int((block.lengths == known.settings.n).sum())
    return pa.RecordBatch.from_pylist([{"first": first, "n_lists": n_lists, "n_full": n_full}])
