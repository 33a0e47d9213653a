"""`nightshelf runs`: what is kept, why, and what a prune deletes."""

import os
from pathlib import Path

import pytest
from redis import Redis

from tests.lookup.terminal import document, run
from tests.nightshelf_ops.night import make_night


@pytest.fixture
def root(redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, of which Redis has the second; the first was written long ago."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTSHELF_RUNS__KEEP_LAST", "1")
    monkeypatch.setenv("NIGHTSHELF_RUNS__KEEP_MONTHS", "0")
    old = make_night(redis_client, tmp_path).folder
    redis_client.flushdb()
    make_night(redis_client, tmp_path)
    (old / "report.json").write_text("{}")
    (old / "steps.jsonl").touch()
    os.utime(old / "steps.jsonl", (0, 0))
    return tmp_path


def test_a_prune_says_what_it_deletes_and_leaves_the_report(redis_url: str, root: Path) -> None:
    where = ("--run-root", str(root))
    listed = run(redis_url, "runs", "list", *where)
    assert listed.exit_code == 0
    assert "live in Redis" in listed.stdout
    assert "no: the next prune deletes it" in listed.stdout

    asked = run(redis_url, "runs", "prune", *where, "--dry-run")
    assert "shop: the data of runs 1 (" in asked.stdout
    assert "Dry run: nothing was changed" in asked.stdout
    assert (root / "shop/1/events.parquet").exists()

    done = document(run(redis_url, "runs", "prune", *where, "--yes", "--json"))
    assert (done["pruned"], done["dry_run"]) == ([1], False)
    assert done["bytes"] > 0
    assert not list((root / "shop/1").rglob("*.parquet"))
    assert (root / "shop/1/report.json").exists()
    rows = document(run(redis_url, "runs", "list", *where, "--json"))["runs"]
    assert [(each["generation"], bool(each["kept"]), bool(each["pruned"])) for each in rows] == [
        (2, True, False),
        (1, False, True),
    ]
    again = run(redis_url, "runs", "prune", *where, "--yes")
    assert "nothing to prune; all data is kept for a reason" in again.stdout
    old = run(redis_url, "republish", str(root / "shop/1"), "--yes")
    assert old.exit_code == 1
    assert "its data was pruned" in old.stderr


def test_a_folder_without_runs_is_named(redis_url: str, root: Path) -> None:
    result = run(redis_url, "runs", "list", "--run-root", str(root / "none"))
    assert result.exit_code == 1
    assert "is no folder: name that of the runs with --run-root" in result.stderr
