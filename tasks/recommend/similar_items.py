"""Items like this one: the nearest in the model's eyes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.factors import load_matrix
from tasks.artifacts.list_tables import list_batch, named
from tasks.artifacts.records import LIST_SCHEMA, Features, Lists, TrainedModel
from tasks.artifacts.scoring import Scoring
from tasks.io.parquet import write_parquet
from tasks.models.registry import MODELS
from tasks.recommend.exact_search import Block, rank
from tasks.recommend.settings import SimilarSettings, TopNSettings
from tasks.runs.journal import computed
from tasks.runs.run_folder import Progress, Run, no_progress

_CODES = pa.array(["similar"])


@computed
def similar_items(
    run: Run,
    features: Features,
    model: TrainedModel,
    settings: SimilarSettings,
    listing: TopNSettings,
    *,
    progress: Progress = no_progress,
) -> Lists:
    """Write, for every item of the model, the available items nearest to it, itself left out.

    Scores are cosines, -1 to 1, of a graph sums of links. Likeness is the point here, so categories
    have no cap. Cold items have such lists and are in none: predicted as they are, all are alike.
    """
    ids, catalogue, itself, scoring, uncapped = prepare(features, model, settings, listing)
    n_lists = n_full = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal n_lists, n_full
        for block in rank(scoring, catalogue, itself, uncapped):
            n_lists += int((block.lengths > 0).sum())
            n_full += int((block.lengths == settings.n).sum())
            yield similar_rows(ids, catalogue, block)
            progress(block.first + len(block.lengths), len(ids))

    path = run.path("lists/similar.parquet")
    write_parquet(path, LIST_SCHEMA, batches())
    return Lists(path, n_lists, n_full)


class Ready(NamedTuple):
    """All that similar items follow from: `keys` are the items that get a list, by position."""

    keys: pa.StringArray
    catalogue: Catalogue
    seen: sp.csr_matrix
    scoring: Scoring
    settings: TopNSettings


def prepare(
    features: Features, model: TrainedModel, settings: SimilarSettings, listing: TopNSettings
) -> Ready:
    """Load what similar items follow from."""
    saved = MODELS[model.name].kind.load(model.settings.parent, with_users=False)
    ids = saved.item_ids
    catalogue = load_catalogue(features.items, ids)
    taken = np.bincount(load_matrix(features.interactions).indices, minlength=len(ids)) > 0
    catalogue = replace(catalogue, available=catalogue.available & taken)
    itself = sp.csr_matrix(sp.identity(len(ids), np.float32))
    uncapped = replace(listing, n=settings.n, max_per_category=listing.page_size)
    return Ready(ids, catalogue, itself, saved.similarity, uncapped)


def similar_rows(ids: pa.StringArray, catalogue: Catalogue, block: Block) -> pa.RecordBatch:
    """Turn a block of positions into rows of `LIST_SCHEMA`; `ids` are those of all keys."""
    keys = ids.slice(block.first, len(block.lengths))
    filled = np.arange(block.items.shape[1]) < block.lengths[:, None]
    return list_batch(
        keys=keys,
        lengths=block.lengths,
        item_ids=named(catalogue.ids, block.items[filled]),
        scores=block.scores[filled],
        codes=named(_CODES, np.zeros(block.lengths.sum(), np.int64)),
        because=named(keys, np.repeat(np.arange(len(keys)), block.lengths)),
    )
