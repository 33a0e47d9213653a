"""The step that trains a model for a run."""

import json
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.artifacts.factors import load_matrix
from tasks.artifacts.records import Features, Popularity, TrainedModel
from tasks.io.columns import ID, ITEM_ID, positions_of
from tasks.io.parquet import digest_of, read_column
from tasks.models.base import Interactions, Model, Start
from tasks.models.content import load_content
from tasks.runs.journal import computed
from tasks.runs.run_folder import Progress, Run, no_progress
from tasks.runs.saved_run import FACTS, ITEM_FACTORS, LINKS, PROFILES, SETTINGS, USER_FACTORS

Train = Callable[..., TrainedModel]


def interactions(features: Features, popularity: Popularity | None = None) -> Interactions:
    """Load all that a model learns from; without a `popularity` it is 0."""
    user_ids, item_ids = (read_column(path, ID) for path in (features.user_ids, features.item_ids))
    return Interactions(
        strengths=load_matrix(features.interactions),
        recent=load_matrix(features.recent),
        user_ids=user_ids,
        item_ids=item_ids,
        popularity=load_popularity(popularity, item_ids) if popularity else np.zeros(len(item_ids)),
        content=load_content(features.items, item_ids),
    )


def load_popularity(popularity: Popularity, item_ids: pa.StringArray) -> npt.NDArray[np.float64]:
    """Load the recent popularity of `item_ids`, in their order."""
    table = pq.read_table(popularity.path, partitioning=None).combine_chunks()
    at = positions_of(item_ids, table[ITEM_ID].chunk(0))
    return np.asarray(table["score"].to_numpy()[at], np.float64)


def train_step(name: str, kind: type[Model]) -> Train:
    """Return the step `train_<name>`, which trains a model and saves it in `model/<name>/`."""

    def train(
        run: Run,
        features: Features,
        settings: object,
        start: Start | None = None,
        popularity: Popularity | None = None,
        *,
        progress: Progress = no_progress,
    ) -> TrainedModel:
        """Train a model on the features, anew or from a `start`; `ModelError` if not finite.

        Without a `popularity` no item is popular.
        """
        before = kind.load(start.folder) if start else None
        model = kind.fit(interactions(features, popularity), settings, before, progress=progress)
        return save_model(run, name, model, start)

    train.__name__ = train.__qualname__ = f"train_{name}"
    return computed(train)


def save_model(run: Run, name: str, model: Model, start: Start | None) -> TrainedModel:
    """Save a model in `model/<name>/` of a run."""
    folder = run.path(f"model/{name}/start.json").parent
    model.save(folder)
    began = {"from": start.generation if start else None, "n_warm": start.n_warm if start else 0}
    (folder / "start.json").write_text(json.dumps(began) + "\n")
    learnt = [USER_FACTORS, ITEM_FACTORS, PROFILES, LINKS]
    users, items, profiles, links = (folder / each for each in learnt)
    return TrainedModel(
        name=name,
        user_factors=users,
        item_factors=items,
        profiles=profiles,
        links=links,
        n_users=len(model.user_ids),
        n_items=len(model.item_ids),
        n_factors=model.items.shape[1],
        settings=folder / SETTINGS,
        facts=folder / FACTS,
        began=folder / "start.json",
        digest=digest_of(folder, [users, items, profiles, links]),
        n_iterations=model.n_iterations,
        started_from=start.generation if start else None,
    )
