"""Recent popularity against its definition in numpy, and the limits of shrinkage."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.features.build import open_log
from tasks.features.recent_popularity import recent_popularity, segment_popularity, shrunk
from tasks.io.duckdb_session import connect
from tasks.runs.run_folder import Run
from tests.tasks.small_models import AS_OF, Event, make_log, weighing

WEIGHTS = {"view": 1.0, "purchase": 5.0, "return": -5.0}
IDS = [f"i{at:02}" for at in range(20)]


def test_points_halve_by_whole_days_and_are_never_negative(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    n, kinds = 400, [*WEIGHTS, "impression"]
    seconds, item = rng.integers(1, 40 * 86_400, n), rng.integers(18, size=n)
    kind = rng.integers(len(kinds), size=n)
    events: list[Event] = [
        ("u", IDS[i], kinds[k], AS_OF - timedelta(seconds=int(s)))
        for i, k, s in zip(item, kind, seconds, strict=True)
    ]
    weight = np.array([*WEIGHTS.values(), 0.0])[kind]
    days = -(-seconds // 86_400)  # as_of is the first moment of its day
    run = Run("shop", 1, AS_OF, tmp_path)
    log = make_log(run, events, {name: {"category": "any"} for name in IDS})
    order = pa.array(IDS[3:])
    with connect(tmp_path) as db:
        open_log(db, log, weighing(weights=WEIGHTS))
        for half_life_days in (3.0, 7.0, 0.5):
            found = recent_popularity(db, order, AS_OF, half_life_days)
            points = np.bincount(item, weight * 0.5 ** (days / half_life_days), 20)[3:]
            assert (points < 0).any()
            np.testing.assert_allclose(found, np.maximum(points, 0), rtol=1e-6, atol=1e-6)
        assert found.dtype == np.float64
        assert list(segment_popularity(db, order, AS_OF, 7.0)) == []


def test_a_large_logs_squares_are_estimated_and_its_points_are_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    events: list[Event] = [
        (f"u{u:04}", IDS[i], "view", AS_OF - timedelta(hours=int(hour)))
        for u, i, hour in zip(
            np.repeat(range(2_000), 10), rng.integers(20, size=20_000), rng.integers(1, 99, 20_000),
            strict=True,
        )
    ]  # fmt: skip
    run = Run("shop", 1, AS_OF, tmp_path)
    log = make_log(run, events, {name: {"category": "any"} for name in IDS})
    users = pa.table(
        {
            "user_id": [f"u{at:04}" for at in range(1_500)],
            "segment": [["north", "south", None][at % 3] for at in range(1_500)],
        }
    )
    given: list[float] = []

    def noted(points: np.ndarray, squares: float, _: np.ndarray, all_squares: float) -> np.ndarray:
        given.extend([squares, all_squares])
        return points

    monkeypatch.setattr(f"{segment_popularity.__module__}.shrunk", noted)
    with connect(tmp_path) as db:
        open_log(db, log, weighing(weights=WEIGHTS))
        db.execute("DROP VIEW users")
        db.from_arrow(users).create("users")
        exact = list(segment_popularity(db, pa.array(IDS), AS_OF, 7.0))
        monkeypatch.setattr(f"{segment_popularity.__module__}._SQUARED_EVENTS", 5_000)
        estimated = list(segment_popularity(db, pa.array(IDS), AS_OF, 7.0))
    assert [name for name, _ in exact] == ["north", "south"]
    for one, other in zip(exact, estimated, strict=True):
        np.testing.assert_array_equal(one[1], other[1])
    assert given[4:] != given[:4]
    np.testing.assert_allclose(given[4:], given[:4], rtol=0.15)


def drawn(rng: np.random.Generator, taste: np.ndarray, n_users: int) -> np.ndarray:
    """Draw users x items: ten events each of the taste."""
    return rng.multinomial(10, taste, n_users).astype(float)


def mixed(segment: np.ndarray, others: np.ndarray) -> np.ndarray:
    everybody = (segment.sum(axis=0) + others.sum(axis=0)).astype(float)
    squares = float((segment**2).sum()), float((segment**2).sum() + (others**2).sum())
    return shrunk(segment.sum(axis=0), squares[0], everybody, squares[1])


TASTE = np.arange(30, 0, -1) / np.arange(31).sum()


def test_a_segment_of_one_user_has_the_order_of_all() -> None:
    rng = np.random.default_rng(1)
    one, others = drawn(rng, TASTE, 1), drawn(rng, TASTE, 500)
    whole = one.sum(axis=0) + others.sum(axis=0)
    np.testing.assert_allclose(mixed(one, others), whole * one.sum() / whole.sum())


def test_a_large_segment_of_another_taste_keeps_its_own_points() -> None:
    rng = np.random.default_rng(2)
    many, others = drawn(rng, TASTE[::-1], 20_000), drawn(rng, TASTE, 20_000)
    np.testing.assert_allclose(mixed(many, others), many.sum(axis=0), rtol=0.01)
    assert mixed(many, others).argmax() == 29


def test_shrinkage_grows_as_the_users_of_another_taste_get_fewer() -> None:
    """Over many draws, the mix is nearer to the segment's taste than either part."""
    rng = np.random.default_rng(3)
    others = drawn(rng, TASTE, 2_000)
    other = TASTE[np.arange(30) ^ 1][::-1] * 0.3 + TASTE * 0.7
    errors = []
    for _ in range(50):
        few = drawn(rng, other, 15)
        own = few.sum(axis=0)
        parts = own, few.sum(axis=0) + others.sum(axis=0), mixed(few, others)
        errors.append([np.sum((part / part.sum() - other) ** 2) for part in parts])
    own, everybody, mix = np.mean(errors, axis=0)
    assert mix < own
    assert mix < everybody


def test_the_segment_of_everybody_and_one_without_points() -> None:
    points = np.array([3.0, 0.0, 1.0])
    np.testing.assert_array_equal(shrunk(points, 5.0, points, 5.0), points)
    np.testing.assert_array_equal(shrunk(points * 0, 0.0, points, 5.0), points * 0)
    assert shrunk(-points, 5.0, -points, 5.0) == pytest.approx([0, 0, 0])
