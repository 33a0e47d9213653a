"""Users' lists and similar items by Spark: the files of the one-machine night, byte for byte."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import SparkSession

from tasks.artifacts.records import LIST_SCHEMA, Features, Lists, TrainedModel
from tasks.io.parquet import write_parquet
from tasks.models.base import Histories, Model, no_links
from tasks.models.registry import MODELS
from tasks.publish.keyspace import encoded_file
from tasks.recommend import similar_items as similar
from tasks.recommend import topn
from tasks.recommend.exact_search import Block
from tasks.recommend.settings import SimilarSettings, TopNSettings
from tasks.runs.run_folder import Progress, Run
from tasks.spark.search import Listed, Shared, search


def list_users(
    session: SparkSession,
    run: Run,
    features: Features,
    model: TrainedModel,
    settings: TopNSettings,
    file: str,
    progress: Progress,
) -> Lists:
    """Write the lists of a model's users, as `tasks.recommend.topn.make_lists` does."""
    saved = MODELS[model.name].kind.load(model.settings.parent)
    if settings.trades:  # their rules look at all lists together
        return topn.make_lists(run, features, saved, settings, file, progress=progress)
    ready = topn.prepare(run, features, saved, settings)

    def rows_of(rows: npt.NDArray[np.int64]) -> tuple[Model, Histories]:
        return _light(ready.model.of(rows)), ready.histories.of(rows)

    n_users = len(ready.model.user_ids)
    with _folder(run) as folder:
        found = search(
            session, folder, ready.scoring, ready.catalogue, ready.seen, settings,
            _explained, (ready.model.items, ready.model.neighbours), rows_of,
        )  # fmt: skip
        lists = _write(run.path(file), found, progress, n_users)
    return replace(lists, n_inactive=ready.n_inactive)


def list_similar(
    session: SparkSession,
    run: Run,
    features: Features,
    model: TrainedModel,
    settings: SimilarSettings,
    listing: TopNSettings,
    progress: Progress,
) -> Lists:
    """Write the items like each item, as `tasks.recommend.similar_items` does."""
    ready = similar.prepare(features, model, settings, listing)
    keys = ready.keys

    def rows_of(rows: npt.NDArray[np.int64]) -> pa.StringArray:
        return keys.take(pa.array(rows))

    with _folder(run) as folder:
        found = search(
            session, folder, ready.scoring, ready.catalogue, ready.seen, ready.settings,
            _alike, None, rows_of,
        )  # fmt: skip
        return _write(run.path("lists/similar.parquet"), found, progress, len(keys))


def _light(model: Model) -> Model:
    """Return a model without what all of its parts share."""
    k = model.users.shape[1]
    return replace(
        model,
        items=np.zeros((0, k), np.float32),
        neighbours=no_links(0, 0),
        item_ids=model.item_ids[:0],
    )


def _explained(shared: Shared, part: tuple[Model, Histories], block: Block) -> pa.RecordBatch:
    """Return the lists of a block's users with their reasons."""
    light, histories = part
    items, neighbours = shared.more
    model = replace(light, items=items, neighbours=neighbours, item_ids=shared.catalogue.ids)
    because = model.reasons(histories)(0, block.items, block.lengths)
    return topn.list_rows(model.user_ids, shared.catalogue, block, because)


def _alike(shared: Shared, keys: pa.StringArray, block: Block) -> pa.RecordBatch:
    """Return the lists of a block's items."""
    return similar.similar_rows(keys, shared.catalogue, block)


def _write(path: Path, found: Iterator[Listed], progress: Progress, n_users: int) -> Lists:
    """Write blocks of lists as one file, a row group each, and keep their encoded values."""
    n_lists = n_full = n_groups = 0
    encoded_file(path, 0).parent.mkdir(exist_ok=True)

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal n_lists, n_full, n_groups
        for block in found:
            n_lists += block.n_lists
            n_full += block.n_full
            if block.n_lists:
                block.encoded.rename(encoded_file(path, n_groups))
                n_groups += 1
            yield block.rows
            progress(block.stop, n_users)

    write_parquet(path, LIST_SCHEMA, batches())
    return Lists(path, n_lists, n_full)


@contextmanager
def _folder(run: Run) -> Iterator[Path]:
    """Make a folder of a run's that the executors share, and delete it at the end."""
    path = Path(mkdtemp(dir=run.path("steps.jsonl").parent, prefix=".spark-"))
    try:
        yield path.absolute()
    finally:
        shutil.rmtree(path)
