"""Items like this one against cosines by brute force."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.artifacts.factors import Factors
from tasks.artifacts.records import TrainedModel
from tasks.recommend.settings import SimilarSettings, TopNSettings
from tasks.recommend.similar_items import similar_items
from tests.tasks.small_models import AS_OF, Learnt, dot, learn, read_lists, saved_als


def night_of(root: Path, factors: Factors, *, unavailable: frozenset[int] = frozenset()) -> Learnt:
    """Learn from a log in which each item is viewed once; one more was never taken to."""
    items = {
        f"i{at:03}": {"category": f"c{at % 2}", "available": at not in unavailable}
        for at in range(len(factors))
    }
    events = [("u", item, "view", AS_OF) for item in items]
    return learn(root, events, items | {"unloved": {"category": "c0"}}, seen=("view",))


def model_of(night: Learnt, factors: Factors) -> TrainedModel:
    ids = pa.array([f"i{at:03}" for at in range(len(factors))])
    return saved_als(night.run, pa.array(["u"]), ids, factors[:1], factors)


def cosine(left: Factors, right: Factors) -> float:
    lengths = math.sqrt(dot(left, left)) * math.sqrt(dot(right, right))
    return dot(left, right) / lengths if lengths else 0.0


@pytest.mark.parametrize("scale", [0, 6, 25])
def test_neighbours_are_the_nearest_by_cosine(tmp_path: Path, scale: int) -> None:
    """Whatever the norms, from 1e-25 to 1e18; categories do not count."""
    rng = np.random.default_rng(scale)
    lengths = 10.0 ** rng.uniform(-scale, scale * 0.75, (90, 1))
    factors = (rng.standard_normal((90, 6)) * lengths).astype(np.float32)
    gone = frozenset({4, 40, 89})
    night = night_of(tmp_path, factors, unavailable=gone)
    settings, listing = SimilarSettings(n=12), TopNSettings(page_size=5, max_per_category=1)
    calls: list[tuple[int, int]] = []
    lists = similar_items(
        night.run,
        night.features,
        model_of(night, factors),
        settings,
        listing,
        progress=lambda *at: calls.append(at),
    )
    assert (lists.n_lists, lists.n_full, calls[-1]) == (90, 90, (90, 90))

    found = read_lists(lists.path)
    assert list(found) == [f"i{at:03}" for at in range(90)]  # those gone have likes, too
    for at, row in enumerate(found.values()):
        scores = {
            other: cosine(factors[at], factors[other])
            for other in range(90)
            if other != at and other not in gone
        }
        listed = [int(item[1:]) for item in row["item_ids"]]
        assert len(listed) == len(set(listed)) == 12
        assert [scores[other] for other in listed] == pytest.approx(row["scores"], abs=1e-6)
        best = sorted(scores.values(), reverse=True)[:12]
        assert row["scores"] == pytest.approx(best, abs=1e-6)
        assert row["scores"] == sorted(row["scores"], reverse=True)
        assert set(row["codes"]) == {"similar"}
        assert set(row["because"]) == {f"i{at:03}"}


def test_ties_go_by_id_and_nothing_is_near_itself(tmp_path: Path) -> None:
    factors = np.array([[2, 0], [1, 0], [3, 0], [0, 5], [0, 0]], np.float32)
    night = night_of(tmp_path, factors)
    lists = similar_items(
        night.run, night.features, model_of(night, factors), SimilarSettings(), TopNSettings()
    )
    found = {key: row["item_ids"] for key, row in read_lists(lists.path).items()}
    assert found == {
        "i000": ["i001", "i002", "i003", "i004"],
        "i001": ["i000", "i002", "i003", "i004"],
        "i002": ["i000", "i001", "i003", "i004"],
        "i003": ["i000", "i001", "i002", "i004"],
        "i004": ["i000", "i001", "i002", "i003"],  # without direction: like nothing, equally
    }
    assert (lists.n_lists, lists.n_full) == (5, 0)


def test_an_only_item_has_no_likes(tmp_path: Path) -> None:
    factors = np.ones((1, 2), np.float32)
    night = night_of(tmp_path, factors)
    lists = similar_items(
        night.run, night.features, model_of(night, factors), SimilarSettings(), TopNSettings()
    )
    assert (read_lists(lists.path), lists.n_lists) == ({}, 0)
