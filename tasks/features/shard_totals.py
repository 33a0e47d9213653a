"""A night's totals from its rollups: at once, or one shard of the users after another.

The totals of a shard wait on disk, those of all shards are put together in order of user id: the
same totals, whatever the number of shards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.artifacts.records import CleanLog
from tasks.features._jit.aggregate import select
from tasks.features.aggregate import Totals, aggregate, no_cells, no_users, sum_of_items
from tasks.features.arrays import Cells, EventRules, Ints, Items, Longs, Users
from tasks.features.rollup_plan import gather
from tasks.features.user_shards import Shard, shards_of
from tasks.runs.run_folder import Run


def add_up(
    run: Run, log: CleanLog, item_ids: pa.StringArray, kinds: Sequence[str], rules: EventRules
) -> tuple[Totals, int]:
    """Return the totals of a clean log, and the number of its days added up now.

    Takes what `aggregate` takes. The log is cut into shards where it would not fit in memory.
    """
    shards = shards_of(log.n_events)

    def of_shard(shard: Shard) -> tuple[Totals, int]:
        found = gather(run, log, shard)
        return aggregate(found.older, found.newer, item_ids, kinds, rules), found.n_new

    if len(shards) == 1:
        return of_shard(shards[0])
    kept, n_new = [], 0
    with TemporaryDirectory(dir=run.folder, prefix=".spill-") as folder:
        for shard in shards:
            totals, n = of_shard(shard)
            kept.append(_keep(Path(folder), shard, totals))
            n_new = max(n_new, n)  # the first shard makes the days of all
            del totals
        return _joined(kept), n_new


@dataclass(frozen=True)
class _Kept:
    """Totals of a shard whose users and cells are on disk; `liked` and `seen`: cells a user."""

    path: Path
    ids: pa.StringArray
    items: Items
    liked: Longs
    seen: Longs

    def load(self, name: str) -> npt.NDArray[np.generic]:
        """Return an array of the shard's."""
        array: npt.NDArray[np.generic] = np.load(_file(self.path, name))
        return array


def _file(path: Path, name: str) -> Path:
    return path.with_name(f"{path.name}-{name}.npy")


def _keep(folder: Path, shard: Shard, totals: Totals) -> _Kept:
    """Write the arrays of a shard's totals; uses up the cells."""
    path = folder / str(shard.number)
    for name, array in totals.users._asdict().items():
        np.save(_file(path, name), array)
    counts = (_keep_cells(path, name, getattr(totals, name), totals) for name in ("liked", "seen"))
    return _Kept(path, totals.ids, totals.items, *counts)


def _keep_cells(path: Path, name: str, cells: Cells, totals: Totals) -> Longs:
    """Write a shard's cells without the room between them; return the number of each user's."""
    everybody = np.ones(len(totals.ids), np.bool_)
    bounds = select(cells, everybody, np.arange(len(totals.items.taken), dtype=np.int32))
    for column in ("item", "value", "recent"):
        np.save(_file(path, f"{name}-{column}"), getattr(cells, column)[: bounds[-1]])
    return np.diff(bounds)


def _joined(shards: Sequence[_Kept]) -> Totals:
    """Put the totals of all shards together, users in order of their ids."""
    ids = pa.concat_arrays([shard.ids for shard in shards])
    order = pc.sort_indices(ids)
    rank = np.empty(len(ids), np.int32)
    rank[order.to_numpy()] = np.arange(len(ids), dtype=np.int32)
    places = np.split(rank, np.cumsum([len(shard.ids) for shard in shards])[:-1])
    return Totals(
        ids.take(order),
        _users(shards, places),
        sum_of_items([shard.items for shard in shards]),
        _cells(shards, places, "liked"),
        _cells(shards, places, "seen"),
    )


def _users(shards: Sequence[_Kept], places: Sequence[Ints]) -> Users:
    users = no_users(sum(map(len, places)))
    for name, column in users._asdict().items():
        for shard, place in zip(shards, places, strict=True):
            column[place] = shard.load(name)
    return users


def _cells(shards: Sequence[_Kept], places: Sequence[Ints], name: str) -> Cells:
    counts = np.empty(sum(map(len, places)), np.int64)
    for shard, place in zip(shards, places, strict=True):
        counts[place] = getattr(shard, name)
    starts = np.concatenate(([0], np.cumsum(counts)))
    cells = no_cells(starts, n_recent=starts[-1] if name == "liked" else 0)
    cells.n[:] = counts
    for shard, place in zip(shards, places, strict=True):
        own = counts[place]
        shift = starts[place] - (np.cumsum(own) - own)
        at = np.repeat(shift, own) + np.arange(own.sum())
        cells.item[at] = shard.load(f"{name}-item")
        cells.value[at] = shard.load(f"{name}-value")
        if len(cells.recent):
            cells.recent[at] = shard.load(f"{name}-recent")
    return cells
