"""Compile the inner loops of lists, reasons and publication, as a process beside a first night.

They are most of what a night compiles after each change of code, and what it comes to last: a
second core has them ready by then. `python -m nightshelf_ops.compile_ahead` prints nothing, and is
never needed: whatever is not ready, the night compiles itself.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue
from tasks.artifacts.list_tables import list_batch, named
from tasks.io.blas import one_blas_thread
from tasks.io.byte_strings import Buffer, ByteStrings
from tasks.models.base import Interactions
from tasks.models.blend.model import Blend
from tasks.publish.commands import framed, mget_command, set_commands
from tasks.publish.encode import encode_lists
from tasks.recommend.exact_search import Block, rank
from tasks.recommend.settings import TopNSettings
from tasks.settings import Settings

_N_USERS, _N_ITEMS = 40, 60


def main() -> None:
    """Make and encode the lists of a few users at random."""
    rng = np.random.default_rng(0)
    strengths = sp.random(_N_USERS, _N_ITEMS, 0.2, "csr", np.float32, rng)
    data = Interactions(
        strengths, strengths, _ids("u", _N_USERS), _ids("i", _N_ITEMS), np.ones(_N_ITEMS)
    )
    available = np.ones(_N_ITEMS, np.bool_)
    catalogue = Catalogue(data.item_ids, np.zeros(_N_ITEMS, np.int32), ["any"], available)
    with one_blas_thread():
        model = Blend.fit(data, Settings().recipe.models["blend"])
        lists = rank(model.scoring, catalogue, strengths, TopNSettings(n=5))
        for block in lists:
            because = model.reasons(data)(block.first, block.items, block.lengths)
            encode(block, catalogue, data.user_ids, because)


def encode(
    block: Block,
    catalogue: Catalogue,
    user_ids: pa.StringArray,
    because: npt.NDArray[np.int32],
) -> None:
    """Encode lists and the commands that would publish them."""
    filled = np.arange(block.items.shape[1]) < block.lengths[:, None]
    batch = list_batch(
        user_ids.slice(block.first, len(block.lengths)),
        block.lengths,
        named(catalogue.ids, block.items[filled]),
        block.scores[filled],
        named(pa.array(["taste", "because"]), (because[filled] >= 0).astype(np.int64)),
        named(catalogue.names, np.maximum(because[filled], 0)),
    )
    keys, room = ByteStrings.of([key.encode() for key in batch["key"].to_pylist()]), Buffer()
    values = encode_lists(batch)
    set_commands(keys, values, np.full(len(keys), 60, np.int64), room)
    mget_command(keys)
    framed(keys, values, 0, room)


def _ids(kind: str, n: int) -> pa.StringArray:
    return pa.array([f"{kind}{at:02}" for at in range(n)], pa.string())


if __name__ == "__main__":
    main()
