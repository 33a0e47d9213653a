"""The generation that tonight's lists are compared with, if there is one."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf import Manifest
from nightshelf.admin import generations
from nightshelf.contract.keys import Keys
from tasks.artifacts.records import LIST_SCHEMA
from tasks.evaluation import gate_step
from tasks.evaluation.gate_step import overlap_with
from tasks.runs.run_folder import Run
from tests.tasks.publish.test_stage import publish
from tests.tasks.small_models import AS_OF, make_shelves


@pytest.fixture
def live(redis_client: Redis, tmp_path: Path) -> Manifest:
    publish(redis_client, tmp_path)
    manifest = generations.current(redis_client, "shop")
    assert manifest is not None
    return manifest


def tonight(root: Path, mark: str = "m") -> tuple[Run, Path]:
    """Write tonight's lists as they would be read back."""
    run = Run("shop", 2, AS_OF, root)
    return run, make_shelves(run, mark=mark)[0].path


def test_the_same_lists_overlap_wholly(live: Manifest, redis_client: Redis, tmp_path: Path) -> None:
    run, lists = tonight(tmp_path)
    found = overlap_with(live, run, redis_client, lists)
    assert found == {"jaccard": 1.0, "rank_biased_overlap": 1.0}


def test_other_items_do_not_overlap(live: Manifest, redis_client: Redis, tmp_path: Path) -> None:
    run, lists = tonight(tmp_path, mark="n")
    found = overlap_with(live, run, redis_client, lists)
    assert found == {"jaccard": 0.0, "rank_biased_overlap": 0.0}


def test_other_users_do_not_overlap(live: Manifest, redis_client: Redis, tmp_path: Path) -> None:
    run, lists = tonight(tmp_path)
    keys = list(redis_client.scan_iter(Keys("shop").lists(1, "als").pattern))
    for key in keys:
        redis_client.rename(key, key[:-1] + b"-under-another-id}")
    found = overlap_with(live, run, redis_client, lists)
    assert found == {"jaccard": 0.0, "rank_biased_overlap": 0.0}


def test_after_a_long_outage_there_is_nothing_to_compare_with(
    live: Manifest, redis_client: Redis, tmp_path: Path
) -> None:
    run, lists = tonight(tmp_path)
    expired = replace(live, staged_at="2026-01-01T00:00:00+00:00")
    assert overlap_with(expired, run, redis_client, lists) == {}


@pytest.mark.parametrize("group_rows", [1, 7, 100])
@pytest.mark.parametrize("n_lists", [0, 1, 10, 11, 20, 21, 95])
def test_the_sample_is_spread_evenly_whatever_the_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_lists: int, group_rows: int
) -> None:
    monkeypatch.setattr(gate_step, "_SAMPLE", 10)
    columns = {"item_ids": ["a", "b"], "scores": [0.2, 0.1], "codes": ["taste"] * 2}
    rows = [{"key": f"u{n}", "because": [""] * 2, **columns} for n in range(n_lists)]
    path = tmp_path / "lists.parquet"
    pq.write_table(pa.Table.from_pylist(rows, LIST_SCHEMA), path, row_group_size=group_rows)
    stride = max(1, -(-n_lists // 10))
    expected = [{"key": row["key"], "item_ids": ["a", "b"]} for row in rows[::stride]]
    assert gate_step._sample(path) == expected
