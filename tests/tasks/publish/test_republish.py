"""A run published again from its folder, on real servers, and every way that it is refused."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf import Shelf, TransitionRefused
from nightshelf.admin import generations
from nightshelf.admin.lifecycle import mark_bad, pin, promote
from nightshelf.contract.keys import Keys, key_ttl_s
from nightshelf.contract.values import Manifest
from tasks.artifacts.records import Provenance
from tasks.errors import NoRoom, RunFolderError, VerificationError
from tasks.explain.saved_model import load_night
from tasks.explain.trace import trace
from tasks.publish.republish import refuse_unless_good, republish
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, stage
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import SavedRun
from tests.lookup.shelves import record, refusal, staged, states
from tests.nightshelf_ops.night import PASSED, TTL_S, contents, make_night
from tests.tasks.small_models import AS_OF, make_shelves

SETTINGS = PublishSettings(ttl_s=7, max_batch_keys=50)  # the run's own TTL counts
KEPT = (
    "as_of",
    "digest",
    "counts",
    "n_bytes",
    "list_length",
    "ttl_s",
    "config_hash",
    "model_hash",
    "inputs",
    "metrics",
    "gates",
)


def again(client: Redis, folder: Path) -> Manifest:
    source = SavedRun.open(folder)
    return republish(client, source, SETTINGS)


def live(client: Redis) -> int | None:
    found = generations.current(client, "shop")
    return found.generation if found else None


def allotted(client: Redis) -> int:
    return int(client.hget(Keys("shop").fence, "allotted") or 0)


def test_an_empty_server_gets_all_back(own_redis_client: Redis, tmp_path: Path) -> None:
    client = own_redis_client
    run = make_night(client, tmp_path)
    before, values = generations.current(client, "shop"), contents(client, 1)
    assert before is not None
    served = Shelf(client, "shop").get_many(["u00", "mute", "nobody"], 6)
    client.flushall()

    after = again(client, run.folder)

    assert (after.generation, after.state) == (2, "live")
    assert generations.current(client, "shop") == after
    assert contents(client, 2) == values
    assert len(values) == sum(before.counts.values()) > 60
    assert all(getattr(after, name) == getattr(before, name) for name in KEPT)
    assert after.metrics
    assert after.gates == PASSED
    for tail in values:
        key = Keys("shop").prefix(2) + tail
        full = key_ttl_s(tail.partition(":")[0], key, TTL_S)
        assert full - 30 < client.ttl(key) <= full
    found = Shelf(client, "shop").get_many(["u00", "mute", "nobody"], 6)
    assert [(each.source, each.items) for each in found] == [
        (each.source, each.items) for each in served
    ]
    assert [each.source for each in found] == ["list", "popular:segment:gold", "popular:all"]


def test_the_new_folder_is_a_run_like_the_old(redis_client: Redis, tmp_path: Path) -> None:
    run = make_night(redis_client, tmp_path)
    redis_client.flushdb()
    again(redis_client, run.folder)
    shutil.rmtree(run.folder)
    redis_client.flushdb()

    copy = tmp_path / "shop/2"
    _, place = trace(load_night(copy, "als"), "u00", "i00")
    assert place is not None
    source = SavedRun.open(copy)
    assert source.manifest.gates == PASSED
    refuse_unless_good(redis_client, source)
    after = again(redis_client, copy)
    assert (after.generation, after.state, after.digest) == (3, "live", source.manifest.digest)


def test_the_number_is_above_all_that_redis_and_the_folders_have(
    redis_client: Redis, tmp_path: Path
) -> None:
    run = make_night(redis_client, tmp_path)
    (tmp_path / "shop/41").mkdir()
    assert again(redis_client, run.folder).generation == 42
    generations.allot(redis_client, "shop", above=50)
    assert again(redis_client, run.folder).generation == 52
    assert states(redis_client) == {1: "replaced", 42: "previous", 52: "live"}


def test_a_pin_leaves_it_staged(redis_client: Redis, tmp_path: Path) -> None:
    run = make_night(redis_client, tmp_path)
    pin(redis_client, "shop", 1)
    after = again(redis_client, run.folder)
    assert (after.generation, after.state, after.gates) == (2, "staged", PASSED)
    assert live(redis_client) == 1
    source = SavedRun.open(run.folder)
    assert republish(redis_client, source, SETTINGS, force=True).state == "staged"
    assert live(redis_client) == 1
    assert promote(redis_client, "shop", 2, force=True).metrics == after.metrics


def judged(client: Redis, run: Run, *, force: bool = False) -> None:
    source = SavedRun.open(run.folder)
    refuse_unless_good(client, source, force=force)


def test_bad_lists_stay_off_whatever_the_force(redis_client: Redis, tmp_path: Path) -> None:
    run = make_night(redis_client, tmp_path)
    judged(redis_client, run)
    again(redis_client, run.folder)  # the same lists under another number
    mark_bad(redis_client, "shop", 1)
    copy = Run("shop", 2, AS_OF, tmp_path)
    for each in (run, copy):
        for force in (False, True):
            assert refusal(lambda: judged(redis_client, each, force=force)) == "bad"  # noqa: B023


@pytest.mark.parametrize(
    ("gates", "said"),
    [({**PASSED, "jaccard": "block"}, "held back by jaccard"), ({}, "before the gates")],
)
def test_what_no_gate_let_through_needs_force(
    redis_client: Redis, tmp_path: Path, gates: dict[str, str], said: str
) -> None:
    run = make_night(redis_client, tmp_path, gates=gates, live=False)
    with pytest.raises(TransitionRefused, match=said) as refused:
        judged(redis_client, run)
    assert refused.value.reason == "blocked"
    judged(redis_client, run, force=True)


def test_gates_that_warn_or_cannot_compare_hold_nothing_back(
    redis_client: Redis, tmp_path: Path
) -> None:
    gates = {"jaccard": "no comparison", "coverage_ratio": "warn"}
    judged(redis_client, make_night(redis_client, tmp_path, gates=gates))


def test_what_is_live_has_seen_more(redis_client: Redis, tmp_path: Path) -> None:
    older = make_night(redis_client, tmp_path, as_of=AS_OF - timedelta(days=1))
    judged(redis_client, older)
    newer = make_night(redis_client, tmp_path)
    judged(redis_client, newer)
    assert refusal(lambda: judged(redis_client, older)) == "superseded"
    judged(redis_client, older, force=True)
    assert again(redis_client, older.folder).state == "staged"
    assert live(redis_client) == 2
    source = SavedRun.open(older.folder)
    after = republish(redis_client, source, SETTINGS, force=True)
    assert (after.generation, after.state) == (4, "live") == (live(redis_client), "live")


@pytest.mark.parametrize("name", ["lists/lists", "lists/similar", "features/items"])
def test_files_that_were_altered_go_nowhere(redis_client: Redis, tmp_path: Path, name: str) -> None:
    """One value differs, in a file that is otherwise sound."""
    run = make_night(redis_client, tmp_path)
    path = run.folder / f"{name}.parquet"
    table = pq.read_table(path)
    column = "scores" if name.startswith("lists") else "title"
    values = table.column(column).to_pylist()
    values[3] = [0.5, *values[3][1:]] if column == "scores" else "Another title"
    at = table.schema.get_field_index(column)
    changed = table.set_column(at, table.schema.field(at), pa.array(values, table.schema[at].type))
    path.unlink()
    pq.write_table(changed, path)
    with pytest.raises(VerificationError, match="other lists than were published"):
        again(redis_client, run.folder)
    assert live(redis_client) == 1
    assert states(redis_client) == {1: "live", 2: "bad"}
    assert refusal(lambda: promote(redis_client, "shop", 2, force=True)) == "bad"
    judged(redis_client, run)  # what is bad are the altered lists, not the published ones


NEEDED = ["lists/lists", "lists/popular", "lists/similar", "features/users", "features/items"]


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_a_missing_file_is_found_before_a_number_is_given_out(
    redis_client: Redis, tmp_path: Path, name: str, damage: str
) -> None:
    run = make_night(redis_client, tmp_path)
    path = run.folder / f"{name}.parquet"
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(
        RunFolderError, match=f"lacks {name}" if damage == "gone" else str(run.folder)
    ):
        again(redis_client, run.folder)
    assert (live(redis_client), allotted(redis_client)) == (1, 1)
    assert [each.name for each in (tmp_path / "shop").iterdir()] == ["1"]


def test_a_page_that_is_damaged_goes_nowhere(redis_client: Redis, tmp_path: Path) -> None:
    run = make_night(redis_client, tmp_path)
    path = run.folder / "lists/lists.parquet"
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    path.unlink()
    path.write_bytes(content)
    with pytest.raises((RunFolderError, VerificationError), match=str(run.folder)):
        again(redis_client, run.folder)
    assert live(redis_client) == 1


def test_a_server_without_room_says_so(own_redis_client: Redis, tmp_path: Path) -> None:
    run = open_run(own_redis_client, "shop", AS_OF, tmp_path)
    stage(run, own_redis_client, make_shelves(run, 3_000), SETTINGS, Provenance(10, "c0ffee"))
    used = own_redis_client.info("memory")["used_memory"]
    own_redis_client.config_set("maxmemory", used + 2**20)
    with pytest.raises(NoRoom, match="generation 2 of shop needs"):
        again(own_redis_client, run.folder)
    assert states(own_redis_client) == {1: "staged"}


def test_the_model_may_be_gone(redis_client: Redis, tmp_path: Path) -> None:
    """Lists can be published without it; only why they are so is lost."""
    run = make_night(redis_client, tmp_path)
    shutil.rmtree(run.folder / "model")
    assert again(redis_client, run.folder).state == "live"
    with pytest.raises(RunFolderError, match="item_factors"):
        load_night(tmp_path / "shop/2", "als")


def test_folders_that_are_no_run_s(redis_client: Redis, tmp_path: Path) -> None:
    run = make_night(redis_client, tmp_path)
    manifest = (run.folder / "manifest.json").read_text()
    half = Manifest.from_json(manifest)
    contents = {
        "shop/2": None,
        "shop/latest": manifest,
        "shop/3": "{",
        "shop/4": "[]",
        "shop/5": replace(half, digest="").to_json().decode(),
        "shop/6": replace(half, as_of="yesterday").to_json().decode(),
    }
    for name, text in contents.items():
        folder = tmp_path / name
        folder.mkdir()
        if text is not None:
            (folder / "manifest.json").write_text(text)
    for folder in (tmp_path, tmp_path / "nowhere/1", *(tmp_path / name for name in contents)):
        with pytest.raises(RunFolderError, match=str(folder)):
            SavedRun.open(folder)


def test_a_folder_is_known_by_its_place_however_it_is_named(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_night(redis_client, tmp_path)
    monkeypatch.chdir(run.folder)
    assert SavedRun.open(Path()).run == Run("shop", 1, AS_OF, tmp_path)


def test_lists_of_another_maker_are_left_alone(redis_client: Redis, tmp_path: Path) -> None:
    """A live generation without a folder here moves back a place, whole."""
    run = make_night(redis_client, tmp_path, live=False)
    other = staged(redis_client)
    manifest = generations.listing(redis_client, "shop")[0]
    record(redis_client, replace(manifest, as_of="2026-02-01T00:00:00+00:00"))
    generations.flip(redis_client, "shop", other)
    before = contents(redis_client, other)
    after = again(redis_client, run.folder)
    assert states(redis_client) == {1: "staged", other: "previous", after.generation: "live"}
    assert contents(redis_client, other) == before
