"""Logs added up in shards of their users: the bytes of the whole, and reuse by later nights."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.features import rollup_plan, user_shards
from tasks.features.build import build_features
from tasks.features.settings import FeatureSettings
from tasks.features.user_shards import Shard, shards_of, split
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import InputSettings, check_inputs
from tasks.io.memory import MachineSettings, limit_memory
from tasks.runs.run_folder import Run
from tests.tasks.logs import ANY_SHARE, AS_OF, NOW, Row, bytes_of, clean, event, item, write

N_USERS, N_ITEMS, N_DAYS = 60, 12, 11
ITEMS = [item(f"i{number}", category=f"c{number % 3}") for number in range(N_ITEMS)]
KINDS = ("view", "purchase", "rating", "like", "return", "wave")


def some_events(n: int, seed: int) -> list[Row]:
    """Return random events; one user has only returned, another is there on one day alone."""
    rng = np.random.default_rng(seed)
    rows = [
        event(
            user_id=f"u{rng.integers(N_USERS)}",
            item_id=f"i{rng.integers(N_ITEMS)}",
            event_type=KINDS[rng.integers(len(KINDS))],
            ts=AS_OF - timedelta(seconds=int(rng.integers(1, N_DAYS * 86_400))),
            value=[None, 1.25, -0.5][rng.integers(3)],
        )
        for _ in range(n)
    ]
    for row in rows:
        row["value"] = row["value"] if row["event_type"] in ("rating", "return") else None
    return [*rows, event(user_id="back", event_type="return"), event(user_id="once")]


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """Hold the steps to a gigabyte, and to no other bound afterwards."""
    limit_memory(MachineSettings(memory_gb=1))
    yield
    limit_memory(MachineSettings())


def in_shards(patch: pytest.MonkeyPatch, n: int, n_events: int) -> None:
    """Let so many events need `n` shards."""
    patch.setattr(user_shards, "_BYTES_AN_EVENT", n * 10**9 // n_events - 1)
    assert len(shards_of(n_events)) == n


@pytest.mark.parametrize("n", [2, 16])
def test_shards_give_the_bytes_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    log = clean(tmp_path, some_events(700, seed=n), ITEMS)
    whole = build_features(Run("whole", 1, AS_OF, tmp_path), log, FeatureSettings())
    in_shards(monkeypatch, n, log.n_events)
    sharded = build_features(Run("shards", 1, AS_OF, tmp_path), log, FeatureSettings())
    assert bytes_of(sharded) == bytes_of(whole)
    assert sharded.n_days_new == whole.n_days_new == N_DAYS
    assert not list((tmp_path / "shards").rglob(".spill-*"))


def test_the_night_after_adds_up_its_own_day_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_plan, "_FEW_EVENTS", 0)
    rows = some_events(700, seed=3)
    items = write(tmp_path / "items.parquet", ITEMS)
    for night, as_of in ((1, AS_OF - timedelta(days=1)), (2, AS_OF)):
        inputs = check_inputs(write(tmp_path / "e.parquet", rows), items, None, InputSettings())
        run = Run("shop", night, as_of, tmp_path)
        log = clean_events(run, inputs, ANY_SHARE, now=NOW)
        in_shards(monkeypatch, 4, log.n_events)
        last = build_features(run, log, FeatureSettings())
    assert last.n_days_new == 1
    monkeypatch.undo()
    whole = build_features(Run("whole", 1, AS_OF, tmp_path), log, FeatureSettings())
    assert bytes_of(last) == bytes_of(whole)


def test_each_user_is_in_one_shard_with_all_events() -> None:
    users = [f"user-{number}" for number in range(4_000)] * 2
    events = pa.table({"user_id": pa.array(users).dictionary_encode(), "n": range(len(users))})
    parts = list(split(events, Shard(of=8).all))
    assert sorted(n for part in parts for n in part["n"].to_pylist()) == list(range(len(users)))
    owners = [set(part["user_id"].to_pylist()) for part in parts]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 4_000
    assert min(map(len, owners)) > 400, "shards are about as large as one another"


def test_memory_decides_the_number_of_shards() -> None:
    for memory_gb, n in ((1, 128), (8, 16), (64, 2), (128, 1)):
        limit_memory(MachineSettings(memory_gb=memory_gb))
        assert len(shards_of(10**9)) == n
    assert shards_of(0) == [Shard()]
