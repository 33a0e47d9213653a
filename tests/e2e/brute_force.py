"""A user's list by the definition alone: a walk over all scores."""

from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.models.blend.model import Blend
from tasks.runs.run_folder import Run


class BruteForce:
    """The definition of docs/decisions/0007, from the artifacts of a run and nothing else."""

    def __init__(self, run: Run) -> None:
        model = Blend.load(run.path("model/blend"))
        rows = pq.read_table(run.path("features/items.parquet")).to_pylist()
        self.user_ids, self.item_ids = model.user_ids.to_pylist(), model.item_ids.to_pylist()
        self._weights = model.settings.blend.of_users(np.diff(model.profiles.indptr))
        top = model.facts["als_top"]
        self._weights *= [1, top / model.facts["graph_top"], top]
        self._users, self._items = (part.astype(np.float64) for part in (model.users, model.items))
        links = (model.profiles, model.neighbours)
        self._profiles, self._neighbours = (part.astype(np.float64) for part in links)
        self._seen = sp.load_npz(run.path("features/seen.npz"))
        self.category = {row["item_id"]: row["category"] for row in rows}
        self.available = {row["item_id"] for row in rows if row["available"]}

    def seen(self, user: int) -> set[str]:
        return {self.item_ids[item] for item in self._seen[user].indices}

    def score(self, user: int, item_id: str) -> float:
        return float(self.scores(user)[self.item_ids.index(item_id)])

    def scores(self, user: int) -> np.ndarray:
        """Add up the three parts by their weights."""
        als, graph, popular = self._weights[user]
        linked = (self._profiles[user] @ self._neighbours).toarray()[0]
        dense = als * (self._items[:, :-1] @ self._users[user, :-1])
        return np.asarray(dense + graph * linked + popular * self._items[:, -1])

    def walk(self, user: int, n: int = 50, page_size: int = 10, cap: int = 3) -> list[str]:
        scores = self.scores(user)
        seen = self.seen(user)
        taken: list[str] = []
        room: Counter[tuple[int, str]] = Counter()
        for item in sorted(range(len(scores)), key=lambda i: (-scores[i], self.item_ids[i])):
            item_id = self.item_ids[item]
            place = (len(taken) // page_size, self.category[item_id])
            full = self.category[item_id] != "unknown" and room[place] == cap
            if item_id in seen or item_id not in self.available or full:
                continue
            room[place] += 1
            taken.append(item_id)
            if len(taken) == n:
                break
        return taken
