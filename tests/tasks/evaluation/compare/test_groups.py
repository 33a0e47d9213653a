"""Groups of users: each user in one bucket, segments by size."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.artifacts.records import Features
from tasks.evaluation.compare import groups
from tasks.evaluation.compare.groups import by_history, by_segment


def test_each_user_is_in_the_bucket_that_its_name_says() -> None:
    counts = np.arange(20)
    found = {name: counts[flags].tolist() for name, flags in by_history(counts).items()}
    expected = {"0": [0], "1": [1], "2": [2], "3-5": [3, 4, 5], "6-10": [6, 7, 8, 9, 10]}
    assert found == expected | {"11+": list(range(11, 20))}


def features_of(path: Path, segments: dict[str, str | None]) -> Features:
    table = {"user_id": list(segments), "segment": pa.array(segments.values(), pa.string())}
    pq.write_table(pa.table(table), path)
    return cast(Features, SimpleNamespace(users=path))


def test_segments_come_by_size_with_the_rest_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "N_SEGMENTS", 2)
    names = {"a": "x", "b": "y", "c": "y", "d": "z", "e": None}
    features = features_of(tmp_path / "users.parquet", names)
    users = pa.array(["a", "b", "c", "d", "e", "stranger"])
    found = {
        name: [user for user, own in zip("abcdes", flags, strict=True) if own]
        for name, flags in by_segment(features, users).items()
    }
    assert found == {"y": ["b", "c"], "x": ["a"], "others": ["d"], "no segment": ["e", "s"]}
    assert list(found) == ["y", "x", "others", "no segment"]


def test_without_segments_there_are_no_groups(tmp_path: Path) -> None:
    features = features_of(tmp_path / "users.parquet", {"a": None})
    assert by_segment(features, pa.array(["a", "b"])) == {}
