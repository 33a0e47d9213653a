"""Publishing to a real server, and every way that it can be cut short."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import get_ident

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from nightshelf import Shelf, TransitionRefused
from nightshelf.admin import generations
from nightshelf.admin.lifecycle import pin
from nightshelf.contract.chosen_blend import ChosenBlend
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from tasks.artifacts.records import Provenance, Staged
from tasks.errors import RedisUnavailable, SettingsError, VerificationError
from tasks.publish.go_live import clear_orphans, flip, keep_live
from tasks.publish.keyspace import Entry, Family
from tasks.publish.redis_client import connect
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, read_back, stage
from tasks.runs.run_folder import Run
from tests.faults.nights import limit_memory
from tests.tasks.small_models import AS_OF, make_shelves

TTL_S = 3_600
SETTINGS = PublishSettings(ttl_s=TTL_S)
SMALL = replace(SETTINGS, max_batch_keys=7)


def staged(
    client: Redis, run: Run, shelves: tuple[Family, ...], settings: PublishSettings = SETTINGS
) -> Staged:
    return stage(run, client, shelves, settings, Provenance(10, "c0ffee"))


def publish(client: Redis, root: Path, mark: str = "m", n_users: int = 20) -> dict[str, bytes]:
    """Publish a night; return its keys and values as they should stand."""
    run = open_run(client, "shop", AS_OF, root)
    shelves = make_shelves(run, n_users, mark=mark)
    read_back(run, client, shelves, staged(client, run, shelves), SETTINGS)
    flip(run, client)
    return contents(shelves)


def contents(shelves: tuple[Family, ...]) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in entries_of(shelves)}


def entries_of(shelves: tuple[Family, ...]) -> list[Entry]:
    return [entry for family in shelves for entry in family.entries()]


def assert_live(client: Redis, generation: int, values: dict[str, bytes]) -> None:
    """The generation is live and whole, and a reader is given its lists alone."""
    live = generations.current(client, "shop")
    assert live is not None
    assert live.generation == generation
    assert client.mget(list(values)) == list(values.values())
    shelf = Shelf(client, "shop")
    users = [f"u{at:04}" for at in range(20)]
    ours = [Keys("shop").list(generation, "als", user) for user in users]
    for result, key in zip(shelf.get_many(users, 50), ours, strict=True):
        assert (result.source, result.generation) == ("list", generation)
        assert [item.item_id for item in result.items] == json.loads(values[key])["items"]


def test_every_key_stands_with_its_value_and_a_ttl_within_bounds(
    redis_client: Redis, tmp_path: Path
) -> None:
    values = publish(redis_client, tmp_path)
    assert len(values) == 20 + 2 + 20 + 20 + 20
    keys = Keys("shop")
    housekeeping = {key.encode() for key in (keys.current, keys.generations, keys.fence)}
    assert set(redis_client.scan_iter()) == {key.encode() for key in values} | housekeeping
    assert_live(redis_client, 1, values)
    ttls = {key: redis_client.ttl(key) for key in values}
    popular = {key: ttl for key, ttl in ttls.items() if ":popular:" in key}
    others = [ttl for key, ttl in ttls.items() if key not in popular]
    assert all(2 * TTL_S - 60 < ttl <= 2 * TTL_S for ttl in popular.values())
    assert all(0.9 * TTL_S - 60 < ttl <= 1.1 * TTL_S for ttl in others)
    assert max(others) - min(others) > 0.15 * TTL_S  # spread over the range
    assert all(redis_client.ttl(key) == -1 for key in housekeeping)


def test_the_manifest_tells_what_was_staged(redis_client: Redis, tmp_path: Path) -> None:
    run = open_run(redis_client, "shop", AS_OF, tmp_path)
    shelves = make_shelves(run)
    record = staged(redis_client, run, shelves)
    assert generations.current(redis_client, "shop") is None
    (found,) = generations.listing(redis_client, "shop")
    assert record.manifest.read_bytes() == found.to_json() + b"\n"
    values = contents(shelves)
    n_bytes = sum(len(key) + len(value) for key, value in values.items())
    assert (record.n_keys, record.n_bytes) == (len(values), n_bytes)
    assert found == Manifest(
        generation=1,
        as_of="2026-03-01T00:00:00+00:00",
        staged_at=found.staged_at,
        models=("als",),
        list_length=10,
        ttl_s=TTL_S,
        counts={"list": 20, "popular": 2, "similar": 20, "user": 20, "item": 20},
        n_bytes=n_bytes,
        digest=record.digest,
        config_hash="c0ffee",
    )


def test_the_manifest_tells_what_the_lists_were_made_from(
    redis_client: Redis, tmp_path: Path
) -> None:
    run = open_run(redis_client, "shop", AS_OF, tmp_path)
    inputs = {"events": "e" * 64, "items": "1" * 64}
    blend = ChosenBlend({"als": 1.0}, {"learning": 60.0}, {"1": (0.5,)}, held=True)
    made_from = Provenance(10, "c0ffee", "feed", inputs, choice=blend)
    stage(run, redis_client, make_shelves(run), SETTINGS, made_from)
    (found,) = generations.listing(redis_client, "shop")
    assert (found.model_hash, found.inputs) == ("feed", inputs)
    assert Manifest.from_json(run.path("manifest.json").read_bytes()) == found
    flip(run, redis_client)
    live = generations.current(redis_client, "shop")
    assert live is not None
    assert (live.model_hash, live.inputs, live.choice) == ("feed", inputs, blend), (
        "and so does the pointer"
    )


@pytest.mark.parametrize(
    ("max_batch_keys", "max_batch_bytes"), [(7, 2**20), (1_000, 2_000), (5, 1_200), (1, 1)]
)
def test_pipelines_are_bounded_by_keys_and_by_bytes(
    redis_client: Redis, tmp_path: Path, max_batch_keys: int, max_batch_bytes: int
) -> None:
    run = Run("shop", 1, AS_OF, tmp_path)
    shelves = make_shelves(run)
    sizes = [len(entry.key) + len(entry.value) for entry in entries_of(shelves)]
    ends = [0]
    record = stage(
        run,
        redis_client,
        shelves,
        replace(SETTINGS, max_batch_keys=max_batch_keys, max_batch_bytes=max_batch_bytes),
        Provenance(10, ""),
        progress=lambda done, total: ends.append(done),
    )
    assert ends[-1] == len(sizes) == record.n_keys
    for start, end in pairwise(ends):
        batch = sizes[start:end]
        assert 1 <= len(batch) <= max_batch_keys
        assert len(batch) == 1 or sum(batch) <= max_batch_bytes
        if end < len(sizes):  # and no smaller than it need be
            assert len(batch) == max_batch_keys or sum(batch) + sizes[end] > max_batch_bytes


@pytest.mark.parametrize("n_connections", [1, 2, 5])
def test_few_batches_more_than_were_told_of_are_on_their_way(
    redis_client: Redis, tmp_path: Path, n_connections: int
) -> None:
    run = Run("shop", 1, AS_OF, tmp_path)
    calls = []

    def stop_at_the_third(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == 3:
            raise InterruptedError

    settings = replace(SETTINGS, max_batch_keys=5, n_connections=n_connections)
    with pytest.raises(InterruptedError):
        stage(
            run,
            redis_client,
            make_shelves(run),
            settings,
            Provenance(10, ""),
            progress=stop_at_the_third,
        )
    n_there = sum(1 for _ in redis_client.scan_iter(Keys("shop").generation(1).pattern))
    assert calls[-1] <= n_there <= calls[-1] + 5 * (2 * n_connections - 1) < 82


def test_equal_lists_have_equal_digests_whatever_their_generation(
    redis_client: Redis, tmp_path: Path
) -> None:
    runs = [Run("shop", number, AS_OF, tmp_path) for number in (1, 2, 3)]
    shelves = [make_shelves(run, mark=mark) for run, mark in zip(runs, "mmn", strict=True)]
    digests = [
        staged(redis_client, run, made, settings).digest
        for run, made, settings in zip(runs, shelves, (SETTINGS, SMALL, SETTINGS), strict=True)
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("n_users", [20, 3_000])
def test_what_is_read_back_is_what_was_computed(
    redis_client: Redis, tmp_path: Path, n_users: int
) -> None:
    run = open_run(redis_client, "shop", AS_OF, tmp_path)
    shelves = make_shelves(run, n_users)
    calls: list[tuple[int, int, int]] = []
    served = read_back(
        run,
        redis_client,
        shelves,
        staged(redis_client, run, shelves),
        SMALL,
        progress=lambda *at: calls.append((*at, get_ident())),
    )
    n_keys = sum(1 for family in shelves for _ in family.entries())
    assert served.n_keys == n_keys
    assert calls[-1] == (n_keys, n_keys, get_ident())
    assert {thread for *_, thread in calls} == {get_ident()}  # where Prefect knows its task


def altered(client: Redis, key: str, how: str) -> None:
    value: bytes = client.get(key)  # type: ignore[assignment]
    client.delete(key)
    if how == "another type":
        client.rpush(key, value)
    elif how != "gone":
        changed = {"one byte": value.replace(b"00", b"01", 1), "no list": b"\x00", "empty": b""}[
            how
        ]
        assert changed != value
        client.set(key, changed)


@pytest.mark.parametrize("how", ["gone", "another type", "one byte", "no list", "empty"])
@pytest.mark.parametrize("family", [0, 1, 2, 3, 4])
def test_a_key_altered_after_staging_is_found(
    redis_client: Redis, tmp_path: Path, family: int, how: str
) -> None:
    before = publish(redis_client, tmp_path, "old")
    run = open_run(redis_client, "shop", AS_OF, tmp_path)
    shelves = make_shelves(run, mark="00")
    record = staged(redis_client, run, shelves)
    ids = next(shelves[family].ids(100))
    altered(redis_client, shelves[family].keys.of(ids[-1]), how)
    with pytest.raises(VerificationError, match="the live generation is untouched"):
        read_back(run, redis_client, shelves, record, SMALL)
    assert_live(redis_client, 1, before)


def test_the_previous_generation_is_kept_whole(redis_client: Redis, tmp_path: Path) -> None:
    first = publish(redis_client, tmp_path, "first")
    second = publish(redis_client, tmp_path, "second")
    assert_live(redis_client, 2, second)
    assert redis_client.mget(list(first)) == list(first.values())
    states = {found.generation: found.state for found in generations.listing(redis_client, "shop")}
    assert states == {1: "previous", 2: "live"}


def test_a_failure_at_any_point_of_staging_leaves_the_live_generation(
    redis_client: Redis, tmp_path: Path
) -> None:
    before = publish(redis_client, tmp_path, "old")
    for stop in range(7, 83, 15):

        def fail(done: int, total: int, stop: int = stop) -> None:
            if done >= stop:
                raise RuntimeError("the power went")

        run = open_run(redis_client, "shop", AS_OF, tmp_path)
        shelves = make_shelves(run, mark="half")
        with pytest.raises(RuntimeError, match="the power went"):
            stage(run, redis_client, shelves, SMALL, Provenance(10, ""), progress=fail)
        assert_live(redis_client, 1, before)
    after = publish(redis_client, tmp_path, "new")
    assert_live(redis_client, run.generation + 1, after)


def test_a_full_redis_refuses_and_the_live_generation_stays(
    own_redis_client: Redis, tmp_path: Path
) -> None:
    before = publish(own_redis_client, tmp_path, "old")
    run = open_run(own_redis_client, "shop", AS_OF, tmp_path)
    shelves = make_shelves(run, 1_000, mark="big")
    limit_memory(own_redis_client, "noeviction", 200_000)
    with pytest.raises(OutOfMemoryError):
        staged(own_redis_client, run, shelves)
    assert_live(own_redis_client, 1, before)
    limit_memory(own_redis_client, "noeviction", -100_000)
    with pytest.raises(RedisUnavailable, match=r"does not take writes: .*maxmemory"):
        open_run(own_redis_client, "shop", AS_OF, tmp_path)
    own_redis_client.config_set("maxmemory", 0)
    after = publish(own_redis_client, tmp_path, "new")
    assert_live(own_redis_client, 3, after)


def test_keys_evicted_in_silence_are_missed(own_redis_client: Redis, tmp_path: Path) -> None:
    run = open_run(own_redis_client, "shop", AS_OF, tmp_path)
    shelves = make_shelves(run, 1_000, mark="big")
    limit_memory(own_redis_client, "allkeys-lru", 500_000)
    record = staged(own_redis_client, run, shelves)
    assert own_redis_client.info("stats")["evicted_keys"] > 0
    with pytest.raises(VerificationError, match=r"is gone .* maxmemory-policy"):
        read_back(run, own_redis_client, shelves, record, SETTINGS)
    assert generations.current(own_redis_client, "shop") is None


def test_an_older_number_is_not_made_live_after_a_newer_one(
    redis_client: Redis, tmp_path: Path
) -> None:
    """A publisher sleeps through another's whole night and wakes up at its flip."""
    sleeper = open_run(redis_client, "shop", AS_OF, tmp_path)
    staged(redis_client, sleeper, make_shelves(sleeper, mark="old"))
    newer = publish(redis_client, tmp_path, "new")
    with pytest.raises(TransitionRefused) as refused:
        flip(sleeper, redis_client)
    assert refused.value.reason == "fenced"
    assert_live(redis_client, 2, newer)


def test_numbers_go_on_where_the_folders_end_once_redis_came_back_empty(
    redis_client: Redis, tmp_path: Path
) -> None:
    assert open_run(redis_client, "shop", AS_OF, tmp_path) == Run("shop", 1, AS_OF, tmp_path)
    (tmp_path / "shop/41").mkdir(parents=True)
    (tmp_path / "homepage/90").mkdir(parents=True)
    redis_client.flushdb()
    numbers = [open_run(redis_client, "shop", AS_OF, tmp_path).generation for _ in range(2)]
    assert numbers == [42, 43]


def said(error: BaseException | None) -> str:
    """Return all that an error and its causes say."""
    return f"{error!r} {error} {said(error.__cause__)}" if error else ""


def refused(url: str, root: Path) -> str:
    with pytest.raises(RedisUnavailable) as raised:
        open_run(connect(url, SETTINGS), "shop", AS_OF, root)
    assert not list(root.iterdir())
    return said(raised.value)


def test_a_cluster_is_refused_before_anything_is_computed(cluster_url: str, tmp_path: Path) -> None:
    with closing(connect(cluster_url, SETTINGS)) as client:
        client.cluster("ADDSLOTSRANGE", 0, 16383)
        with pytest.raises(SettingsError, match=r"^REDIS_URL: the server at 127.* cluster mode"):
            open_run(client, "shop", AS_OF, tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_redis_out_of_reach_is_named_without_its_password(dead_url: str, tmp_path: Path) -> None:
    place = dead_url.removeprefix("redis://")
    text = refused(f"redis://ann:s3cret@{place}", tmp_path)
    assert place.removesuffix("/0") in text
    assert "REDIS_URL" in text
    assert "s3cret" not in text


def test_a_wrong_password_is_not_repeated(
    own_redis_client: Redis, own_redis_url: str, tmp_path: Path
) -> None:
    own_redis_client.config_set("requirepass", "right")
    place = own_redis_url.removeprefix("redis://")
    try:
        text = refused(f"redis://:s3cret@{place}", tmp_path)
    finally:
        own_redis_client.config_set("requirepass", "")
    assert place.removesuffix("/0") in text
    assert "s3cret" not in text


@pytest.mark.parametrize("url", ["redis://:s3cret#9@host:6379/0", "http://:s3cret@host"])
def test_what_is_no_url_is_not_repeated(url: str, tmp_path: Path) -> None:
    text = refused(url, tmp_path)
    assert "percent-encoded" in text
    assert "s3cret" not in text


def test_a_pin_leaves_the_night_staged(redis_client: Redis, tmp_path: Path) -> None:
    values = publish(redis_client, tmp_path)
    pin(redis_client, "shop", 1)
    run = open_run(redis_client, "shop", AS_OF, tmp_path)
    staged(redis_client, run, make_shelves(run, mark="n"))
    assert flip(run, redis_client).state == "staged"
    assert_live(redis_client, 1, values)


def test_a_blocked_night_gives_the_live_one_its_full_time(
    redis_client: Redis, tmp_path: Path
) -> None:
    run = open_run(redis_client, "shop", AS_OF, tmp_path)
    assert keep_live(run, redis_client).n_keys == 0, "nothing is live yet"
    values = publish(redis_client, tmp_path)
    for key in values:
        redis_client.expire(key, 60)
    assert keep_live(run, redis_client).n_keys == len(values)
    assert min(redis_client.ttl(key) for key in values) > 0.85 * TTL_S


def test_the_next_night_clears_what_a_dead_publisher_left(
    redis_client: Redis, tmp_path: Path
) -> None:
    dead = open_run(redis_client, "shop", AS_OF, tmp_path)
    generations.stage(redis_client, "shop", Manifest(dead.generation, "2026-03-01T00:00:00+00:00"))
    debris = [Keys("shop").list(dead.generation, "als", f"u{at}") for at in range(5)]
    redis_client.mset(dict.fromkeys(debris, "half"))
    values = publish(redis_client, tmp_path)
    run = open_run(redis_client, "shop", AS_OF, tmp_path)
    busy = generations.allot(redis_client, "shop")
    started = datetime.now(UTC).isoformat(timespec="seconds")
    generations.stage(redis_client, "shop", Manifest(busy, started, staged_at=started))

    assert clear_orphans(run, redis_client).n_generations == 0, "too soon after the flip"
    redis_client.hset(Keys("shop").fence, "moved_at", 0)
    cleared = clear_orphans(run, redis_client)
    assert (cleared.n_generations, cleared.n_keys) == (1, 5)
    assert not redis_client.exists(*debris)
    assert_live(redis_client, 2, values)
    states = {each.generation: each.state for each in generations.listing(redis_client, "shop")}
    assert states[busy] == "staged", "a live publisher is let be"
