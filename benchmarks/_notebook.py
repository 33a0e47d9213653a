"""The notebook that a good data scientist writes instead: pandas, implicit, a loop, a pipeline."""

import json
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from redis import Redis
from threadpoolctl import threadpool_limits

from benchmarks._log import AS_OF, MadeLog
from benchmarks._night_steps import Clock
from tasks.settings import Settings

#: What the night does and this does not.
LACKS = (
    "input checked against a contract, bad rows kept with their reasons",
    "lists complete: what the category rule leaves of the candidates is all there is",
    "fallback lists (popular, trending, new, by category and segment)",
    "similar items",
    "a reason with every item",
    "feature rows of users and items",
    "memory estimate, read-back, digest",
    "all or nothing: readers see old and new lists mixed while it writes",
    "figures, gates, report",
)
#: Four candidates a place: the category rule leaves nearly all lists full (the share is printed).
_CANDIDATES = 200
_BATCH_USERS = 10_000
_BATCH_KEYS = 1_000


def notebook(clock: Clock, log: MadeLog, redis: Redis, settings: Settings) -> float:
    """Read, weigh, train, recommend and publish; returns the share of lists that are full."""
    with clock.of("read"):
        items = pd.read_parquet(log.items, columns=["item_id", "category"])
        events = pd.read_parquet(log.events, columns=["user_id", "item_id", "event_type", "ts"])
        events = events.dropna().drop_duplicates()
        good = (events["ts"] <= AS_OF) & events["item_id"].isin(items["item_id"])
        events = events.loc[good]
    with clock.of("weigh"):
        user, user_ids = pd.factorize(events["user_id"])
        item, item_ids = pd.factorize(events["item_id"])
        shape = (len(user_ids), len(item_ids))
        age_days = (AS_OF - events["ts"]).dt.days
        weight = events["event_type"].map(settings.features.weights).to_numpy(np.float64)
        strength = weight * 0.5 ** (age_days.to_numpy() / settings.features.half_life_days)
        cells = pd.DataFrame({"user": user, "item": item, "strength": strength})
        cells = cells.groupby(["user", "item"], sort=False, as_index=False)[["strength"]].sum()
        signed = np.sign(cells["strength"]) * (1 + settings.train.alpha * cells["strength"].abs())
        matrix = sp.csr_matrix((signed.astype(np.float32), (cells["user"], cells["item"])), shape)
        done = events["event_type"].isin(settings.features.seen).to_numpy()
        ones = np.ones(done.sum(), np.float32)
        seen = sp.csr_matrix((ones, (user[done], item[done])), shape)
        category = items.set_index("item_id")["category"].loc[item_ids].tolist()
    with threadpool_limits(1, "blas"):  # as implicit asks
        with clock.of("fit"):
            model = AlternatingLeastSquares(
                factors=settings.train.factors,
                iterations=settings.train.iterations,
                regularization=settings.train.regularization,
                random_state=settings.train.seed,
            )
            model.fit(matrix, show_progress=False)
        with clock.of("recommend"):
            lists = list(_recommend(model, seen, category, settings))
    with clock.of("publish"):
        _publish(redis, user_ids.tolist(), item_ids.tolist(), lists, settings)
    return sum(len(listed) == settings.topn.n for listed, _ in lists) / len(lists)


def _recommend(
    model: AlternatingLeastSquares, seen: sp.csr_matrix, category: list[str], settings: Settings
) -> Iterator[tuple[list[int], list[float]]]:
    """Yield each user's items and scores, at most so many of a category a page."""
    n = settings.topn.n
    for first in range(0, seen.shape[0], _BATCH_USERS):
        users = np.arange(first, min(first + _BATCH_USERS, seen.shape[0]))
        found, scores = model.recommend(
            users,
            seen[users],
            N=min(_CANDIDATES, len(category)),
            filter_already_liked_items=True,
        )
        for row, row_scores in zip(found.tolist(), scores.tolist(), strict=True):
            listed: list[int] = []
            kept: list[float] = []
            page: Counter[str] = Counter()
            for item, score in zip(row, row_scores, strict=True):
                if page[category[item]] == settings.topn.max_per_category:
                    continue
                page[category[item]] += 1
                listed.append(item)
                kept.append(score)
                if len(listed) == n:
                    break
                if len(listed) % settings.topn.page_size == 0:
                    page = Counter()
            yield listed, kept


def _publish(
    redis: Redis,
    user_ids: list[str],
    item_ids: list[str],
    lists: list[tuple[list[int], list[float]]],
    settings: Settings,
) -> None:
    pipeline = redis.pipeline(transaction=False)
    for n, (user, (listed, scores)) in enumerate(zip(user_ids, lists, strict=True), 1):
        value = {"items": [item_ids[item] for item in listed], "scores": scores}
        pipeline.set(f"recommendations:{user}", json.dumps(value), ex=settings.publish.ttl_s)
        if n % _BATCH_KEYS == 0:
            pipeline.execute()
    pipeline.execute()
