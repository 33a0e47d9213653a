"""Factors trained on a generated log and on the real logs, and a blend of them with links."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from data.importers.movielens import import_movielens
from data.importers.online_retail import import_online_retail
from data.schema import Imported
from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.factors import Factors, load_factors, load_matrix
from tasks.artifacts.scoring import Scoring
from tasks.features.build import build_features
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.models.graph.links import profiles_of, unit_of
from tasks.models.registry import train_als
from tasks.models.slim.links import link
from tasks.models.slim.settings import SlimSettings
from tasks.runs.run_folder import Run
from tasks.settings import Settings

N_CATEGORIES = 200
REAL: dict[str, Callable[[Path, Path], Imported]] = {
    "movielens-latest-small-2016": import_movielens,
    "movietweetings-100k": import_movielens,
    "online-retail/online_retail.csv.gz": import_online_retail,
}


@dataclass(frozen=True)
class Case:
    """Trained factors, what each user has seen, and a sample of users for the peers."""

    name: str
    users: Factors
    items: Factors
    seen: sp.csr_matrix
    catalogue: Catalogue
    sample: npt.NDArray[np.int64]

    @property
    def scoring(self) -> Scoring:
        """The dense score."""
        return Scoring(self.users, self.items)


def real(name: str, log: Imported, folder: Path, sample: int) -> Case:
    """Train on an imported log as the night after its last event does."""
    settings = Settings()
    as_of = datetime.combine(log.as_of, datetime.min.time(), UTC)
    run = Run("benchmark", 1, as_of, folder / "runs")
    inputs = check_inputs(log.events, log.items, log.users, settings.inputs)
    clean = clean_events(run, inputs, settings.events, now=as_of)
    features = build_features(run, clean, settings.features)
    model = train_als(run, features, settings.train)
    (_, users), (item_ids, items) = map(load_factors, (model.user_factors, model.item_factors))
    return Case(
        name=name,
        users=users,
        items=items,
        seen=load_matrix(features.seen),
        catalogue=load_catalogue(features.items, item_ids),
        sample=choose(np.random.default_rng(1), len(users), sample),
    )


def generated(n_users: int, n_items: int, n_events: int, sample: int) -> Case:
    """Train briefly on a log in which few items and few users have most of the events.

    An item's popularity falls with its rank to the power of -0.9; a user's activity is Pareto
    distributed. Three events in ten follow popularity alone, the others one of the user's three
    tastes, each a category, and popularity within it.
    """
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(N_CATEGORIES))
    category = np.sort(rng.choice(N_CATEGORIES, n_items, p=shares)).astype(np.int32)
    total = np.cumsum(rng.permutation(np.arange(1.0, n_items + 1) ** -0.9))
    activity = rng.pareto(1.5, n_users) + 1
    user = rng.choice(n_users, n_events, p=activity / activity.sum())
    tastes = rng.choice(category, (n_users, 3))  # so that no taste is an empty category
    taste = tastes[user, rng.choice(3, n_events, p=[0.6, 0.3, 0.1])]
    below = np.concatenate(([0.0], total))
    low = below[np.searchsorted(category, taste)]
    high = below[np.searchsorted(category, taste, "right")]
    anything = rng.random(n_events) < 0.3
    low[anything], high[anything] = 0.0, total[-1]
    item = np.searchsorted(total, low + rng.random(n_events) * (high - low), "right")
    shuffle = rng.permutation(n_items)
    cells = (user, shuffle[np.minimum(item, n_items - 1)])
    counts = sp.csr_matrix((np.ones(n_events, np.float32), cells), shape=(n_users, n_items))
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(factors=64, iterations=8, random_state=1)
        als.fit(counts, show_progress=False)
    catalogue = Catalogue(
        ids=pa.array([f"{number:05d}" for number in range(n_items)]),
        categories=category[np.argsort(shuffle)],
        category_names=[str(number) for number in range(N_CATEGORIES)],
        available=np.ones(n_items, np.bool_),
    )
    chosen = choose(rng, n_users, sample)
    return Case("generated", als.user_factors, als.item_factors, counts, catalogue, chosen)


def choose(rng: np.random.Generator, n_users: int, sample: int) -> npt.NDArray[np.int64]:
    """Choose users at random, in order."""
    return np.sort(rng.choice(n_users, min(sample, n_users), replace=False))


def blended(case: Case) -> Scoring:
    """Return ALS + item-item + popularity, scaled to weigh alike.

    Item-item is SLIM with its default settings; popularity the logarithm of an item's events.
    """
    unit, sample = unit_of(case.seen), case.sample[:100]
    links, profiles = link(case.seen, unit, SlimSettings()), profiles_of(case.seen, unit)
    popularity = np.log1p(np.asarray(case.seen.sum(axis=0)).ravel())
    parts = (case.users[sample] @ case.items.T, (profiles[sample] @ links).toarray(), popularity)
    als, linked, popular = (np.sort(part)[..., -20:].mean() for part in parts)
    return Scoring(
        np.column_stack([case.users, np.ones(len(case.users), np.float32)]),
        np.column_stack([case.items, popularity * als / popular]).astype(np.float32),
        (profiles * (als / linked)).astype(np.float32),
        links,
    )
