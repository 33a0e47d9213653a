"""Training: implicit-feedback ALS (Hu, Koren and Volinsky, ICDM 2008), by the library implicit."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from implicit.recommender_base import ModelFitError
from threadpoolctl import threadpool_limits

from tasks.artifacts.factors import Factors, load_factors, load_matrix, save_factors
from tasks.artifacts.records import Features, Model
from tasks.errors import ModelError
from tasks.io.parquet import digest_of
from tasks.models.als.settings import TrainSettings
from tasks.runs.run_folder import Progress, Run, computed, no_progress


@dataclass(frozen=True)
class Start:
    """The factors that training starts from: those of a night, by its generation.

    `n_warm` counts the nights since one that began anew, tonight included.
    """

    generation: int
    n_warm: int
    users: Path
    items: Path


@computed
def train_als(
    run: Run,
    features: Features,
    settings: TrainSettings,
    start: Start | None = None,
    *,
    progress: Progress = no_progress,
) -> Model:
    """Learn user and item factors, anew or from a `start`; `ModelError` where one is not finite.

    BLAS is held to one thread, as implicit asks: its own threads already fill the machine.
    """
    matrix = confidence(load_matrix(features.interactions), settings.alpha)
    iterations = settings.warm_iterations if start else settings.iterations

    def tell(iteration: int, *_: object) -> None:
        progress(iteration + 1, iterations)

    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(
            factors=settings.factors,
            iterations=iterations,
            regularization=settings.regularization,
            random_state=settings.seed,
            dtype=np.float32,
        )
        if start:
            rng = np.random.default_rng(settings.seed)
            als.user_factors = _inherited(start.users, features.user_ids, settings.factors, rng)
            als.item_factors = _inherited(start.items, features.item_ids, settings.factors, rng)
        with suppress(ModelFitError):  # NaN: judged below, together with infinity
            als.fit(matrix, show_progress=False, callback=tell)
    sides = {"user": als.user_factors, "item": als.item_factors}
    for side, factors in sides.items():
        if not np.isfinite(factors).all():
            raise ModelError(
                f"{side} factors hold NaN or infinity after {iterations} iterations; "
                f"raise NIGHTSHELF_TRAIN__REGULARIZATION (now {settings.regularization}) "
                f"or lower NIGHTSHELF_TRAIN__ALPHA (now {settings.alpha})"
            )
    written = run.path("model/settings.json")
    written.write_text(json.dumps(asdict(settings), indent=2) + "\n")
    began = {"from": start.generation if start else None, "n_warm": start.n_warm if start else 0}
    run.path("model/start.json").write_text(json.dumps(began) + "\n")
    users = save_factors(run.path("model/user_factors.parquet"), features.user_ids, sides["user"])
    items = save_factors(run.path("model/item_factors.parquet"), features.item_ids, sides["item"])
    return Model(
        user_factors=users,
        item_factors=items,
        n_users=features.n_users,
        n_items=features.n_items,
        n_factors=settings.factors,
        settings=written,
        digest=digest_of(users.parent, [users, items]),
        n_iterations=iterations,
        started_from=start.generation if start else None,
    )


def _inherited(source: Path, ids: Path, k: int, rng: np.random.Generator) -> Factors:
    """Return another night's factors in the order of `ids`; who is new begins as in implicit."""
    known, learnt = load_factors(source)
    at = pc.index_in(pq.read_table(ids)["id"].combine_chunks(), value_set=known)
    factors = np.empty((len(at), k), np.float32)
    old = at.is_valid().to_numpy(zero_copy_only=False)
    factors[old] = learnt[at.drop_null().to_numpy()]
    factors[~old] = rng.random((len(at) - old.sum(), k), dtype=np.float32) * np.float32(0.01)
    return factors


def confidence(interactions: sp.csr_matrix, alpha: float) -> sp.csr_matrix:
    """Turn strengths r into implicit's signed confidence: sign(r) * (1 + alpha * |r|).

    A negative value is implicit's way to say "preference 0, and surely so".
    """
    matrix = interactions.copy()
    matrix.data = np.sign(matrix.data) * (1 + np.float32(alpha) * np.abs(matrix.data))
    return matrix
