"""ALS by pyspark.ml for the models that are ALS, or blend it with other parts.

Spark's loss (Hu, Koren and Volinsky, ICDM 2008) has confidence 1 + alpha |w| for a pair of weight
w, and a regularization that grows with the pairs of a row; its weight is set so that over all rows
it adds up to that of our own loss, or to less on a log of few pairs a row. The items' factors are
Spark's. The users' are those of `fold_in`, as in the night on one machine: they solve our own loss
for the items' factors.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

from tasks.artifacts.factors import Factors
from tasks.artifacts.records import Features, Popularity, TrainedModel
from tasks.errors import ModelError
from tasks.models.als.fold_in import fold_in as fold_in_als
from tasks.models.als.model import Als
from tasks.models.als.settings import TrainSettings
from tasks.models.als.train import Loss
from tasks.models.base import Interactions, Model
from tasks.models.blend.model import Blend
from tasks.models.blend.settings import BlendParts
from tasks.models.ials.model import Ials
from tasks.models.ials.settings import IalsSettings
from tasks.models.ials.train import fold_in, mean_strength, ridge, signed_weights
from tasks.models.training import interactions, save_model
from tasks.runs.run_folder import Run

#: Largest regularization a pair: more of it, as on a log of few pairs a user, leaves nothing of the
#: rows of many pairs (docs/how-to/run-the-night-on-spark.md).
_MOST = 0.3
#: Models whose factors Spark trains; the others train in the driver.
TRAINED = ("blend", "als", "ials")


def train_on(
    session: SparkSession,
    run: Run,
    name: str,
    features: Features,
    settings: Any,
    popularity: Popularity | None,
    checkpoint_every: int,
) -> TrainedModel:
    """Train a model of `TRAINED`, anew each night, and save it."""
    data = interactions(features, popularity)
    model = _fitted(session, data, settings, checkpoint_every)
    return save_model(run, name, model, None)


def _fitted(
    session: SparkSession, data: Interactions, settings: Any, checkpoint_every: int
) -> Model:
    if isinstance(settings, BlendParts):
        own = settings.ials if settings.blend.factors == "ials" else settings.train
        als = _fitted(session, data, own, checkpoint_every)
        assert isinstance(als, Als | Ials)
        return Blend.of_trained(data, als, settings)
    if isinstance(settings, IalsSettings):
        return _ials(session, data, settings, checkpoint_every)
    return _als(session, data, settings, checkpoint_every)


def _ials(
    session: SparkSession, data: Interactions, settings: IalsSettings, checkpoint_every: int
) -> Ials:
    weights = signed_weights(data.strengths, mean_strength(data.strengths), settings.alpha)
    each = ridge(weights, settings)
    spark = ALS(
        rank=settings.factors,
        maxIter=settings.iterations,
        alpha=1 / settings.unobserved_weight,
        regParam=min(_MOST, float(each.sum()) / settings.unobserved_weight / max(weights.nnz, 1)),
        seed=settings.seed,
        checkpointInterval=checkpoint_every,
    )
    items = item_factors(session, spark, weights)
    users = fold_in(weights, items, settings)
    return Ials.of_factors(data, settings, users, items, settings.iterations)


def _als(
    session: SparkSession, data: Interactions, settings: TrainSettings, checkpoint_every: int
) -> Als:
    loss = Loss.of(data.strengths, settings)
    weights = data.strengths.copy()
    weights.data = np.where(weights.data < 0, loss.dislikes, 1).astype(np.float32) * weights.data
    weights.eliminate_zeros()
    spark = ALS(
        rank=loss.factors,
        maxIter=settings.iterations,
        alpha=loss.rate,
        regParam=loss.regularization * weights.shape[0] / max(weights.nnz, 1),
        seed=settings.seed,
        checkpointInterval=checkpoint_every,
    )
    items = item_factors(session, spark, weights)
    users = fold_in_als(data.strengths, items, loss)
    return Als.of_factors(data, settings, loss, users, items, settings.iterations)


def item_factors(session: SparkSession, als: ALS, weights: sp.csr_matrix) -> Factors:
    """Return the factors of items (items x k) that Spark learns; zeros for one without a pair."""
    pairs = weights.tocoo()
    table = pa.table({"user": pairs.row, "item": pairs.col, "rating": pairs.data})
    named = als.setImplicitPrefs(True).setUserCol("user").setItemCol("item").setRatingCol("rating")
    model = named.fit(session.createDataFrame(table))
    found = model.itemFactors.toArrow().combine_chunks()
    items = np.zeros((weights.shape[1], als.getRank()), np.float32)
    rows: npt.NDArray[np.int64] = found["id"].to_numpy()
    flat = pa.concat_arrays(found["features"].chunks).flatten()
    items[rows] = flat.to_numpy(zero_copy_only=False).reshape(len(rows), -1)
    if not np.isfinite(items).all():
        raise ModelError(
            "Spark's item factors hold NaN or infinity; raise the regularization of the model "
            "(NIGHTSHELF_IALS__REGULARIZATION, or of ALS NIGHTSHELF_TRAIN__REGULARIZATION)"
        )
    return items
