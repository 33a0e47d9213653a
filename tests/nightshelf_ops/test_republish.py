"""`nightshelf republish` at a terminal and in a script."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf.admin.experiments import stop
from nightshelf.admin.lifecycle import mark_bad, pin
from nightshelf.contract.values import Manifest
from tests.lookup.experiments import HALVES, live_experiments
from tests.lookup.shelves import states
from tests.lookup.terminal import document, run
from tests.nightshelf_ops.night import PASSED, contents, make_night

PLAN = (
    "shop: the {n} keys of generation 1 (as of 2026-03-01, digest {digest}) go live under the "
    "next number, {now}"
)


@pytest.fixture
def folder(redis_client: Redis, tmp_path: Path) -> Path:
    """The folder of a night, its Redis empty."""
    made = make_night(redis_client, tmp_path).folder
    (made / "choice.json").write_text("{}")
    redis_client.flushdb()
    return made


def plan(folder: Path, now: str) -> str:
    parquet = (*folder.glob("lists/*.parquet"), *folder.glob("features/*s.parquet"))
    paths = [path for path in parquet if not path.name.endswith("_ids.parquet")]
    digest = (folder / "manifest.json").read_text().split('"digest":"')[1][:8]
    n_keys = sum(pq.read_metadata(path).num_rows for path in paths)
    return PLAN.format(n=n_keys, digest=digest, now=now)


def test_it_is_said_first_and_then_done(redis_client: Redis, redis_url: str, folder: Path) -> None:
    nothing = plan(folder, "nothing is live now")
    result = run(redis_url, "republish", str(folder), "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [nothing, "Dry run: nothing was changed"]
    result = run(redis_url, "republish", str(folder))
    assert (result.exit_code, result.stdout.splitlines()) == (2, [nothing])
    assert "nobody is at a terminal to confirm; add --yes" in result.stderr
    assert not redis_client.dbsize()

    result = run(redis_url, "republish", str(folder), "--yes")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [nothing, "shop: generation 2 is live"]
    assert result.stderr.strip() == ""
    assert (folder.parent / "2/choice.json").read_text() == "{}"
    result = run(redis_url, "republish", str(folder), "--yes")
    assert result.stdout.splitlines() == [
        plan(folder, "in place of generation 2 (as of 2026-03-01)"),
        "shop: generation 3 is live",
    ]


def test_doctor_names_the_newest_good_run(
    redis_client: Redis, redis_url: str, folder: Path
) -> None:
    root = folder.parent.parent

    def remedy(*args: str) -> str:
        result = run(redis_url, "doctor", *args, "--run-root", str(root), "--json")
        assert result.exit_code == 1
        return next(
            str(each["remedy"])
            for each in document(result)["findings"]
            if each["name"] == "pointer"
        )

    for number, changes in {
        "7": {},
        "8": {"gates": {"full lists": "block"}},
        "9": {"gates": {}},
        "10": {"as_of": "2026-02-01T00:00:00+00:00"},  # a backfill: later, and has seen less
    }.items():
        written = json.loads((folder / "manifest.json").read_text()) | changes
        (folder.parent / number).mkdir()
        (folder.parent / number / "manifest.json").write_text(json.dumps(written))
    (folder.parent / "11").mkdir()
    (folder.parent / "12").write_text("no folder")
    republish = f"nightshelf republish {folder.parent / '7'}"
    assert remedy() == f"{republish}; or run the nightly flow to publish"
    assert remedy("-s", "other") == "run the nightly flow to publish"
    assert republish in " ".join(run(redis_url, "doctor", "--run-root", str(root)).stdout.split())
    result = run(redis_url, *republish.replace("/7", "/1").split()[1:], "--yes")
    assert result.exit_code == 0
    assert run(redis_url, "status").exit_code == 0


def test_the_live_experiments_go_on_and_an_empty_redis_gets_the_runs(
    redis_client: Redis, redis_url: str, folder: Path
) -> None:
    path = folder / "manifest.json"
    own = replace(Manifest.from_json(path.read_bytes()), experiments=(HALVES,))
    path.write_bytes(own.to_json())
    assert run(redis_url, "republish", str(folder), "--yes").exit_code == 0
    assert [each.status for each in live_experiments(redis_client)] == ["running"]
    stop(redis_client, "shop", "exp-1")
    assert run(redis_url, "republish", str(folder), "--yes").exit_code == 0
    assert states(redis_client) == {2: "previous", 3: "live"}
    assert [each.status for each in live_experiments(redis_client)] == ["stopped"]


def test_as_json(redis_client: Redis, redis_url: str, folder: Path) -> None:
    planned = document(run(redis_url, "republish", str(folder), "--dry-run", "--json"))
    digest = planned.pop("digest")
    assert len(digest) == 64
    assert planned == {
        "namespace": "shop",
        "source": 1,
        "generation": None,
        "state": None,
        "dry_run": True,
    }
    done = document(run(redis_url, "republish", str(folder), "--yes", "--json"))
    assert done == {
        "namespace": "shop",
        "source": 1,
        "generation": 2,
        "state": "live",
        "digest": digest,
        "dry_run": False,
    }
    assert states(redis_client) == {2: "live"}


def test_a_pin_is_told_before_and_after(
    redis_client: Redis, redis_url: str, tmp_path: Path
) -> None:
    folder = make_night(redis_client, tmp_path).folder
    pin(redis_client, "shop", 1)
    result = run(redis_url, "republish", str(folder), "--yes")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        plan(folder, "but stay staged: shop is pinned to generation 1"),
        "shop: generation 1 is live, pinned; 2 stays staged: unpin, then promote 2",
    ]
    assert states(redis_client) == {1: "live", 2: "staged"}


@pytest.mark.parametrize(("gates", "forced"), [({"jaccard": "block"}, 0), ({}, 0), (PASSED, 1)])
def test_refused_unless_forced_and_bad_always(
    redis_client: Redis, redis_url: str, tmp_path: Path, gates: dict[str, str], forced: int
) -> None:
    folder = make_night(redis_client, tmp_path, gates=gates, live=False).folder
    bad = gates == PASSED
    if bad:
        mark_bad(redis_client, "shop", 1)
    reason = "bad" if bad else "blocked"
    result = run(redis_url, "republish", str(folder), "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"refused ({reason}): generation 1 of shop")
    assert result.stderr.count("\n") == 1
    result = run(redis_url, "republish", str(folder), "--yes", "--json")
    assert (result.exit_code, document(result)["reason"]) == (1, reason)
    result = run(redis_url, "republish", str(folder), "--yes", "--force")
    assert result.exit_code == forced
    assert states(redis_client) == ({1: "bad"} if bad else {1: "staged", 2: "live"})


def test_a_folder_that_is_none(redis_url: str, redis_client: Redis, folder: Path) -> None:
    for wrong in (folder.parent, folder.parent / "7"):
        result = run(redis_url, "republish", str(wrong), "--yes")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"{wrong} holds no manifest.json of a staged generation")
        assert "runs/<namespace>/<generation>" in result.stderr
        assert result.stderr.count("\n") == 1
    (folder / "lists/similar.parquet").unlink()
    result = run(redis_url, "republish", str(folder), "--yes", "--json")
    assert result.exit_code == 1
    assert "lacks lists/similar.parquet" in document(result)["error"]
    assert not contents(redis_client, 2)
    assert not redis_client.dbsize()


def test_redis_out_of_reach(dead_url: str, folder: Path) -> None:
    result = run(dead_url, "republish", str(folder), "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("cannot use Redis at 127.0.0.1:")
