"""History and figures from run folders of all versions."""

import json
import os
from pathlib import Path
from typing import Any

from redis import Redis

from nightshelf.admin.namespace_state import read_state
from nightshelf.service.console import run_files
from nightshelf.service.console.history import history, points
from tests.lookup.shelves import SHOP, publish


def write(runs: Path, number: int, **sections: Any) -> Path:
    path = runs / str(number) / "report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(sections))
    return path


def test_figures_come_from_report_trends_and_manifest_in_that_order(
    redis_client: Redis, tmp_path: Path
) -> None:
    publish(redis_client, 1, metrics={"coverage": 0.1, "diversity": 0.11})
    publish(redis_client, 2, metrics={"coverage": 0.2})
    row = {"generation": 1, "coverage": 0.15, "gini": 0.5}
    gone = {"generation": 0, "coverage": 0.9}
    write(tmp_path, 2, lists={"coverage": 0.25}, trends=[gone, row])
    found = {each.number: each for each in history(read_state(redis_client, SHOP), tmp_path)}
    assert sorted(found) == [1, 2], "a night without a folder and a manifest is gone"
    assert found[2].figures["coverage"] == 0.25
    assert found[1].figures["coverage"] == 0.15 and found[1].figures["diversity"] == 0.11
    assert points(list(found.values())[::1], "gini") == [("1", 0.5)]


def test_a_night_that_redis_has_forgotten(redis_client: Redis, tmp_path: Path) -> None:
    write(tmp_path, 7, night={"as_of": "2026-03-01", "state": "live"}, steps=[{"seconds": 2}] * 3)
    (tmp_path / "8").mkdir()
    newest, oldest = history(read_state(redis_client, SHOP), tmp_path)
    assert (newest.number, newest.state, newest.figures) == (8, "not finished", {})
    assert (oldest.as_of, oldest.manifest) == ("2026-03-01", None)
    assert oldest.figures == {"seconds": 6.0}


def test_a_report_of_nonsense_is_no_report(redis_client: Redis, tmp_path: Path) -> None:
    publish(redis_client, 1, metrics={"coverage": 0.5})
    for text in ("", "[1, 2]", '{"lists": 3, "trends": [4, {"generation": "x"}]}', "{" * 9):
        path = tmp_path / "1" / "report.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, ns=(0, hash(text) % 10**18))
        (found,) = history(read_state(redis_client, SHOP), tmp_path)
        assert found.figures["coverage"] == 0.5
    assert history(read_state(redis_client, SHOP), tmp_path / "none")[0].number == 1


def test_a_file_is_parsed_once_a_version(tmp_path: Path) -> None:
    path = write(tmp_path, 1, lists={"gini": 0.5})
    before = run_files.read_json(path)
    assert run_files.read_json(path) is before
    write(tmp_path, 1, lists={"gini": 0.6})
    os.utime(path, ns=(0, 1))
    assert run_files.at(run_files.read_json(path), "lists", "gini") == 0.6
    path.unlink()
    assert run_files.read_json(path) == {}
