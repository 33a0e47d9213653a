"""Exact top-N lists under a category cap.

A list walks all items in order of descending score (ties by item id), skips what the user has
seen, what is unavailable and what its category has no room for in the page, and stops at N. Items
of unknown category are alike in nothing that we know: they always have room.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.factors import load_matrix
from tasks.artifacts.list_tables import list_batch, named
from tasks.artifacts.records import LIST_SCHEMA, Features, Lists, TrainedModel
from tasks.artifacts.scoring import Scoring
from tasks.io.blas import one_blas_thread
from tasks.io.parallel import parallel_map
from tasks.io.parquet import write_parquet
from tasks.models.base import NOTHING, POPULAR, Histories, Model
from tasks.models.registry import MODELS
from tasks.recommend.active_users import active_rows
from tasks.recommend.exact_search import Block, rank
from tasks.recommend.rerank.exploration import Flags
from tasks.recommend.rerank.pipeline import Parts, ruled
from tasks.recommend.settings import TopNSettings
from tasks.runs.journal import computed
from tasks.runs.run_folder import Progress, Run, no_progress
from tasks.runs.saved_run import LISTS, lists_file

#: Kinds of reasons; `because` names an item, `discover` a category, `popular` a list.
_TASTE, _AGAIN, _BECAUSE, _DISCOVER, _POPULAR = range(5)
_CODES = pa.array(["taste", "again", "because", "discover", "popular"])
#: The list that a popular item is taken from.
_EVERYBODY = pa.array(["all"])


def list_step(name: str, file: str) -> Callable[..., Lists]:
    """Return the step of a name, which writes a model's lists to a file of the run."""

    def write_lists(
        run: Run,
        features: Features,
        model: TrainedModel,
        settings: TopNSettings,
        *,
        progress: Progress = no_progress,
    ) -> Lists:
        """Write the lists of the model's users with their reasons.

        A user for whom no item is left has none, nor has one who is inactive by the settings.
        """
        saved = MODELS[model.name].kind.load(model.settings.parent)
        return make_lists(run, features, saved, settings, file, progress=progress)

    write_lists.__name__ = write_lists.__qualname__ = name
    return computed(write_lists)


@dataclass(frozen=True, eq=False)
class Ready:
    """All that the lists of a model's active users follow from, in the order of these users."""

    model: Model
    histories: Histories
    scoring: Scoring
    catalogue: Catalogue
    seen: sp.csr_matrix
    n_inactive: int


def prepare(run: Run, features: Features, model: Model, settings: TopNSettings) -> Ready:
    """Load what the lists of a model follow from, and leave inactive users out."""
    catalogue = load_catalogue(features.items, model.item_ids)
    seen, n_users = load_matrix(features.seen), len(model.user_ids)
    histories = Histories(load_matrix(features.interactions), load_matrix(features.recent))
    if days := settings.active_within_days:
        active = active_rows(features.users, model.user_ids, run.as_of, days)
        model, seen, histories = model.of(active), seen[active], histories.of(active)
    scoring = model.scoring
    catalogue = replace(catalogue, available=catalogue.available & scoring.scored)
    n_inactive = n_users - len(model.user_ids)
    return Ready(model, histories, scoring.lean, catalogue, seen, n_inactive)


def make_lists(
    run: Run,
    features: Features,
    model: Model,
    settings: TopNSettings,
    file: str = LISTS,
    *,
    progress: Progress = no_progress,
) -> Lists:
    """Write the lists of a model in memory, as the step `top_n` does."""
    ready = prepare(run, features, model, settings)
    user_ids, catalogue = ready.model.user_ids, ready.catalogue
    kept: float | None = None
    lists: Parts
    if settings.trades:
        kept, lists = ruled(
            run,
            features,
            user_ids,
            ready.scoring,
            catalogue,
            ready.seen,
            settings,
            ready.model.likeness,
        )
    else:
        lists = ((each, None) for each in rank(ready.scoring, catalogue, ready.seen, settings))
    n_lists = n_full = 0

    def explained(part: tuple[Block, Flags | None]) -> tuple[Block, pa.RecordBatch]:
        block, explored = part
        because = reasons.result()(block.first, block.items, block.lengths)
        return block, list_rows(user_ids, catalogue, block, because, explored)

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal n_lists, n_full
        for block, batch in parallel_map(explained, lists):
            n_lists += int((block.lengths > 0).sum())
            n_full += int((block.lengths == settings.n).sum())
            yield batch
            progress(block.first + len(block.lengths), len(user_ids))

    path = run.path(file)
    # BLAS is held here: threads that begin and end when they like must not each give it back.
    with one_blas_thread(), ThreadPoolExecutor(1) as beside:
        reasons = beside.submit(ready.model.reasons, ready.histories)
        write_parquet(path, LIST_SCHEMA, batches())
    return Lists(path, n_lists, n_full, kept, n_inactive=ready.n_inactive)


#: The default model's lists.
top_n = list_step("top_n", LISTS)
#: The step that writes a model's lists beside the default's, by the model's name.
LIST_STEPS: Mapping[str, Callable[..., Lists]] = {
    name: list_step(f"top_n_{name}", lists_file(name)) for name in MODELS
}


def list_rows(
    user_ids: pa.StringArray,
    catalogue: Catalogue,
    block: Block,
    because: npt.NDArray[np.int32],
    explored: Flags | None = None,
) -> pa.RecordBatch:
    """Turn a block of positions into rows of `LIST_SCHEMA`."""
    filled = np.arange(block.items.shape[1]) < block.lengths[:, None]
    listed, why = block.items[filled], because[filled]
    names = pa.concat_arrays([catalogue.names, _EVERYBODY])
    codes = np.select(
        [why == NOTHING, why == POPULAR, why == listed], [_TASTE, _POPULAR, _AGAIN], _BECAUSE
    )
    nothing, everybody = len(names) - 2, len(names) - 1
    what = np.select([codes == _BECAUSE, codes == _POPULAR], [why, everybody], nothing)
    if explored is not None:
        dealt = explored[filled]
        codes[dealt] = _DISCOVER
        what[dealt] = len(catalogue.ids) + catalogue.categories[listed[dealt]]
    return list_batch(
        keys=user_ids.slice(block.first, len(block.lengths)),
        lengths=block.lengths,
        item_ids=named(catalogue.ids, listed),
        scores=block.scores[filled],
        codes=named(_CODES, codes),
        because=named(names, what),
    )
