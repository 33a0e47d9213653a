"""The refresh on a real server: against the night's own code, and through flips and losses."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ClusterDownError, ResponseError
from redis.retry import Retry

from nightshelf import ReadSettings, Shelf, TransitionRefused
from nightshelf.admin import generations
from nightshelf.admin.canary import release
from nightshelf.admin.erasure import forget
from nightshelf.admin.lifecycle import rollback
from nightshelf.contract.assignment import in_canary
from nightshelf.contract.keys import key_ttl_s
from nightshelf.doctor.examine import examine
from tasks.artifacts.factors import load_matrix
from tasks.artifacts.records import GenerationFiles
from tasks.errors import InputError, RunFolderError
from tasks.models.als.model import Als
from tasks.models.base import Histories
from tasks.publish.keyspace import families
from tasks.publish.republish import republish
from tasks.publish.settings import PublishSettings
from tasks.recommend.topn import make_lists
from tasks.refresh import refresh as refreshing
from tasks.refresh.new_events import TrackedEvents
from tasks.refresh.recompute import Recomputed, recompute
from tasks.refresh.served_generation import open_served
from tasks.refresh.settings import RefreshSettings
from tasks.refresh.write_users import _Batch
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import SavedRun
from tests.lookup.shelves import settle
from tests.nightshelf_ops.night import (
    ITEMS,
    RULES,
    SEEN,
    SEGMENTS,
    TTL_S,
    USERS,
    WEIGHTS,
    contents,
    events,
    make_night,
)
from tests.tasks.refresh.collected_events import (
    KEYS,
    NOW,
    SETTINGS,
    SHOP,
    Action,
    at,
    collect,
    lists,
    refresh,
    wait,
    waiting,
)
from tests.tasks.small_models import AS_OF, learn

#: What users do in the morning: two whom the night knew, and one whom it did not.
MORNING: list[Action] = [
    ("u00", "i10", "like", at(60)),
    ("u00", "i03", "dislike", at(61)),
    ("u05", "i02", "view", at(70)),
    ("u05", "i11", "like", at(71)),
    ("new", "i05", "view", at(80)),
    ("new", "i09", "like", at(81)),
    ("new", "i13", "view", at(82)),
]
ACTORS = {"u00", "u05", "new"}
UNTIL_UP = Retry(ConstantBackoff(0.05), 200)


@pytest.fixture(scope="module")
def made(
    redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, dict[bytes, tuple[Any, int]]]:
    """A night of long ago, refreshed once with nothing told: its folder, and its keys."""
    root = tmp_path_factory.mktemp("night")
    (root / "events").mkdir()
    with closing(Redis.from_url(redis_url)) as client:
        client.flushdb()
        run = make_night(client, root)
        settle(client)
        refresh(client, root)
        keys = list(client.scan_iter())
        return run, {key: (client.dump(key), max(0, client.pttl(key))) for key in keys}


@pytest.fixture
def quiet(
    made: tuple[Run, dict[bytes, tuple[Any, int]]], redis_client: Redis, tmp_path: Path
) -> Run:
    """That night, live on an empty server, in a folder of the test's own."""
    run, keys = made
    shutil.copytree(run.root, tmp_path, dirs_exist_ok=True)
    for key, (value, life_ms) in keys.items():
        redis_client.restore(key, life_ms, value)
    return replace(run, root=tmp_path)


@pytest.fixture
def night(quiet: Run, redis_client: Redis, tmp_path: Path) -> Run:
    """The same, and a morning whose actions are collected and waited for."""
    collect(tmp_path / "events", *MORNING)
    wait(redis_client, *MORNING[:4])
    return quiet


def by_the_night(root: Path, night: Run) -> dict[str, bytes]:
    """Make everyone's list over the whole log, as a night at `NOW` would, for folded-in factors."""
    full = learn(
        root / "full",
        [*events(), *((user, str(item), kind, ts) for user, item, kind, ts in MORNING)],
        ITEMS,
        SEGMENTS,
        seen=SEEN,
        weights=WEIGHTS,
    )
    features = full.features
    model = Als.load(night.path("model/als"), with_users=False)
    item_ids, user_ids = (
        pq.read_table(path).column("id").combine_chunks()
        for path in (features.item_ids, features.user_ids)
    )
    assert item_ids.equals(model.item_ids)
    matrices = features.interactions, features.recent
    folded = model.with_users(user_ids, Histories(*map(load_matrix, matrices)))
    path = make_lists(full.run, features, folded, RULES).path
    files = GenerationFiles({"als": path}, None, None, None, None)
    (family,) = families(full.run, files)
    return {str(family.keys.id_in(e.key.encode())): e.value for e in family.entries()}


def test_lists_are_what_the_night_would_make(
    redis_client: Redis, tmp_path: Path, night: Run
) -> None:
    before = lists(redis_client, 1)
    (done,) = refresh(redis_client, tmp_path)
    after = lists(redis_client, 1)
    assert (done.n_lists, done.n_new, done.n_queued, done.overtaken) == (3, 1, 0, False)
    assert done.oldest_wait_s == (NOW - at(61)).total_seconds()
    assert waiting(redis_client) == {}

    expected = by_the_night(tmp_path, night)
    assert {user: after[user] for user in ACTORS} == {user: expected[user] for user in ACTORS}
    assert {user for user in after if after[user] != before.get(user)} == ACTORS
    assert not list(night.folder.glob(".refresh-*"))

    u00 = json.loads(after["u00"])["items"]
    assert "i03" not in u00
    assert "i10" not in u00
    assert "i18" not in u00


def test_a_new_user_is_served_a_personal_list(
    redis_client: Redis, tmp_path: Path, quiet: Run
) -> None:
    shelf = Shelf(redis_client, SHOP, settings=ReadSettings(max_bytes=0, deadline_s=5.0))
    assert shelf.get("new").source == "popular:all"
    collect(tmp_path / "events", *MORNING[4:])  # views: nobody asked for a list
    refresh(redis_client, tmp_path)
    result = shelf.get("new", 6)
    assert result.source == "list"
    assert "i09" not in {item.item_id for item in result.items}
    assert ("because", "i09") in {item.reason for item in result.items}


def test_ttls_are_fresh_and_spread_and_a_row_ends_in_the_nights(
    redis_client: Redis, tmp_path: Path, night: Run
) -> None:
    client = redis_client
    shelf = Shelf(client, SHOP, settings=ReadSettings(max_bytes=0, deadline_s=5.0))
    nights = shelf.user_features(["u05", "new"])
    assert set(nights) == {"u05"}
    client.expire(KEYS.list(1, "als", "u05"), 5)
    refresh(client, tmp_path, settings=replace(SETTINGS, user_ttl_s=600))
    for user in ACTORS:
        key = KEYS.list(1, "als", user)
        assert client.ttl(key) in (key_ttl_s("list", key, TTL_S) - 1, key_ttl_s("list", key, TTL_S))
        assert 590 <= client.ttl(KEYS.row_update(user)) <= 600

    rows = shelf.user_features(["u05", "new"])
    assert rows["u05"]["events"] == nights["u05"]["events"] + 2
    assert rows["u05"]["recent_views"][0] == "i02"
    assert rows["new"]["recent_views"] == ["i13", "i05"]
    assert rows["u05"]["segment"] == nights["u05"]["segment"]

    for user in ACTORS:
        client.delete(KEYS.row_update(user))  # as when its time is up
    assert shelf.user_features(["u05"]) == {"u05": nights["u05"]}
    assert shelf.user_features(["new"])["new"]["recent_views"] == ["i13", "i05"]
    assert client.ttl(KEYS.user(1, "new")) > 600


def test_items_count_what_was_told_until_their_row_ends_in_the_nights(
    redis_client: Redis, tmp_path: Path, night: Run
) -> None:
    shelf = Shelf(redis_client, SHOP, settings=ReadSettings(max_bytes=0, deadline_s=5.0))
    collect(
        tmp_path / "events",
        ("u00", "i10", "like", at(62)),
        ("u05", "i10", "like", at(72)),
        value=4.0,
    )
    nights = shelf.item_features(["i10", "i19"])
    refresh(redis_client, tmp_path)
    key = KEYS.item_update("i10")
    assert (
        RefreshSettings().item_ttl_s - 10 <= redis_client.ttl(key) <= RefreshSettings().item_ttl_s
    )
    rows = shelf.item_features(["i10", "i19"])
    assert rows["i19"] == nights["i19"]
    changed = {name for name, value in rows["i10"].items() if value != nights["i10"][name]}
    assert changed == {"popularity_score", "avg_rating", "num_ratings"}
    assert rows["i10"]["popularity_score"] == pytest.approx(nights["i10"]["popularity_score"] + 12)
    assert (rows["i10"]["num_ratings"], rows["i10"]["avg_rating"]) == (2, 4.0)
    redis_client.delete(key)
    assert shelf.item_features(["i10", "i19"]) == nights


def test_readers_are_told(redis_client: Redis, tmp_path: Path, night: Run) -> None:
    client: Any = redis_client
    with closing(client.pubsub(ignore_subscribe_messages=True)) as channel:
        channel.subscribe(KEYS.invalidate)
        refresh(redis_client, tmp_path)
        messages = islice(channel.listen(), 3)
        assert {message["data"] for message in messages} == {f"user:{u}".encode() for u in ACTORS}


def test_an_action_counts_once_however_often_it_is_told(
    redis_client: Redis, tmp_path: Path, night: Run
) -> None:
    collect(tmp_path / "events", *MORNING)
    seen = [(user, item, kind, AS_OF - timedelta(hours=2)) for user, item, kind, _ in MORNING]
    collect(tmp_path / "events", *seen)  # arrived before the night, which has them in its own log
    sent_again = [(*action[:3], action[3] + timedelta(hours=1)) for action in MORNING]
    collect(tmp_path / "events", *sent_again[:1], event_id="again")
    collect(tmp_path / "events", *sent_again[:1], event_id="again")
    refresh(redis_client, tmp_path)
    (row,) = Shelf(redis_client, SHOP).user_features(["u00"]).values()
    assert row["events"] == 7 + 3
    assert lists(redis_client, 1)["u05"] == by_the_night(tmp_path, night)["u05"]


BAD: dict[str, Action] = {
    "item": ("odd", "no-such-item", "like", at(10)),
    "no item": ("odd", None, "profile_update", at(10)),
    "user": ("", "i01", "like", at(10)),
    "time": ("odd", "i01", "like", NOW + timedelta(hours=1)),
}


@pytest.mark.parametrize("action", BAD.values(), ids=BAD)
def test_what_the_night_would_not_count_makes_no_list(
    redis_client: Redis, tmp_path: Path, night: Run, action: Action
) -> None:
    collect(tmp_path / "events", action)
    refresh(redis_client, tmp_path)
    assert set(lists(redis_client, 1)) == {*USERS, "new"}


def test_who_acts_meanwhile_waits_on(
    redis_client: Redis, tmp_path: Path, night: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = ("u05", "i07", "like", at(200))
    meanwhile(monkeypatch, lambda: wait(redis_client, later))
    refresh(redis_client, tmp_path)
    assert waiting(redis_client) == {"u05": later[3].timestamp()}
    first = lists(redis_client, 1)["u05"]
    assert first == by_the_night(tmp_path, night)["u05"], "served all the same"
    refresh(redis_client, tmp_path)
    assert set(waiting(redis_client)) == {"u05"}, "the action is not collected yet"
    collect(tmp_path / "events", later)
    refresh(redis_client, tmp_path)
    assert waiting(redis_client) == {}
    assert "i07" not in json.loads(lists(redis_client, 1)["u05"])["items"]


def test_an_action_that_never_comes_is_not_waited_for_for_ever(
    redis_client: Redis, tmp_path: Path, night: Run
) -> None:
    wait(redis_client, ("u07", None, "like", at(10)), ("odd", None, "like", at(10)))
    redis_client.zadd(KEYS.refresh_queue, {b"\xff": 1.0, b"": 1.0})
    refresh(redis_client, tmp_path)
    assert set(waiting(redis_client)) == {"u07", "odd"}
    impatient = RefreshSettings(patience_s=3600, max_block_users=1)
    refresh(redis_client, tmp_path, settings=impatient)
    assert waiting(redis_client) == {}
    assert "odd" not in lists(redis_client, 1)


def test_an_action_of_a_clock_that_is_fast_is_served_when_its_time_comes(
    redis_client: Redis, tmp_path: Path, quiet: Run
) -> None:
    action = ("u07", "i12", "like", NOW + timedelta(minutes=2))
    collect(tmp_path / "events", action)
    wait(redis_client, action)
    refresh(redis_client, tmp_path)
    assert set(waiting(redis_client)) == {"u07"}
    refresh(redis_client, tmp_path, now=NOW + timedelta(minutes=5))
    assert waiting(redis_client) == {}
    assert "i12" not in json.loads(lists(redis_client, 1)["u07"])["items"]


def test_a_flip_in_between_and_nobody_is_forgotten(
    redis_client: Redis, tmp_path: Path, night: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(tmp_path / "events", ("u09", "i01", "like", at(5)))
    wait(redis_client, ("u09", "i01", "like", at(5)))
    refresh(redis_client, tmp_path, settings=RefreshSettings(max_users=1))  # u09 alone
    assert set(waiting(redis_client)) == ACTORS
    meanwhile(monkeypatch, lambda: make_night(redis_client, tmp_path))
    before = contents(redis_client, 1)
    (done,) = refresh(redis_client, tmp_path)
    assert (done.n_lists, done.overtaken, done.n_queued) == (0, True, 3)
    assert contents(redis_client, 1) == before
    nights = lists(redis_client, 2)
    assert "new" not in nights

    (done,) = refresh(redis_client, tmp_path)
    assert (done.generation, done.n_lists) == (2, 4)
    after = lists(redis_client, 2)
    assert {user for user in after if after[user] != nights.get(user)} == {*ACTORS, "u09"}
    assert after["u09"] == lists(redis_client, 1)["u09"]

    wait(redis_client, ("u10", "i02", "like", at(90)))
    collect(tmp_path / "events", ("u10", "i02", "like", at(90)))
    assert refresh(redis_client, tmp_path)[0].n_lists == 1
    redis_client.hset(KEYS.fence, "moved_at", 7)  # a rollback takes a second at least
    rollback(redis_client, SHOP)
    assert refresh(redis_client, tmp_path)[0].n_lists == 5
    assert lists(redis_client, 1) == lists(redis_client, 2)


def test_users_of_a_canary_are_refreshed_there(
    redis_client: Redis, tmp_path: Path, night: Run
) -> None:
    make_night(redis_client, tmp_path, live=False)
    release(redis_client, SHOP, 2, 50)
    live, out = lists(redis_client, 1), lists(redis_client, 2)
    done = {each.generation: each.n_lists for each in refresh(redis_client, tmp_path)}
    drawn = {user for user in ACTORS if in_canary(user, 2, 50)}
    assert 0 < len(drawn) < 3
    assert done == {1: 3 - len(drawn), 2: len(drawn)}
    for generation, before, whom in ((1, live, ACTORS - drawn), (2, out, drawn)):
        after = lists(redis_client, generation)
        assert {user for user in after if after[user] != before.get(user)} == whom


def test_two_refreshes_at_once_leave_the_same_lists(
    redis_client: Redis, redis_url: str, tmp_path: Path, night: Run
) -> None:
    start = threading.Barrier(2)
    done = []

    def run() -> None:
        with closing(Redis.from_url(redis_url)) as client:
            start.wait()
            done.extend(refresh(client, tmp_path))

    both = [threading.Thread(target=run) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert 3 <= sum(each.n_lists for each in done) <= 6
    assert sum(each.n_new for each in done) == 1
    assert waiting(redis_client) == {}
    expected = by_the_night(tmp_path, night)
    assert {user: lists(redis_client, 1)[user] for user in ACTORS} == {
        user: expected[user] for user in ACTORS
    }


def test_who_is_forgotten_meanwhile_stays_forgotten(
    redis_client: Redis, tmp_path: Path, night: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: forget(redis_client, SHOP, "u05"))
    refresh(redis_client, tmp_path)
    assert not any(b"u05" in key for key in redis_client.scan_iter())
    refresh(redis_client, tmp_path)
    found, left = forget(redis_client, SHOP, "u00")
    assert KEYS.row_update("u00") in found.keys
    assert not left


def before_writing(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Let something happen once between the check of the queue and the writing of users."""
    left: Iterator[Callable[[], Any]] = iter([happens])
    check = _Batch.still_queued

    def slowly(batch: _Batch, users: Sequence[str]) -> list[str]:
        queued = check(batch, users)
        next(left, lambda: None)()
        return queued

    monkeypatch.setattr(_Batch, "still_queued", slowly)


def test_a_user_erased_just_before_the_writing_gets_no_list(
    redis_client: Redis, tmp_path: Path, night: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_writing(monkeypatch, lambda: forget(redis_client, SHOP, "u05"))
    (done,) = refresh(redis_client, tmp_path)
    assert done.n_lists == 2
    assert not any(b"u05" in key for key in redis_client.scan_iter())


def test_of_two_refreshes_the_later_one_wins(
    redis_client: Redis, tmp_path: Path, night: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[Any] = []
    before_writing(monkeypatch, lambda: later.extend(refresh(redis_client, tmp_path)))
    (earlier,) = refresh(redis_client, tmp_path)
    assert [each.n_lists for each in (*later, earlier)] == [3, 0]
    assert waiting(redis_client) == {}
    assert not list(redis_client.scan_iter(b"*:refreshing:*"))


def test_a_refresh_leaves_the_tokens_of_a_later_one(
    redis_client: Redis, tmp_path: Path, night: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = _Batch.leave_queue

    def slowly(batch: _Batch, due: Any, n_keys: int) -> None:
        redis_client.set(KEYS.refreshing("u05"), "later")
        leave(batch, due, n_keys)

    monkeypatch.setattr(_Batch, "leave_queue", slowly)
    (done,) = refresh(redis_client, tmp_path)
    assert done.n_lists == 3
    assert list(redis_client.scan_iter(b"*:refreshing:*")) == [KEYS.refreshing("u05").encode()]
    assert redis_client.get(KEYS.refreshing("u05")) == b"later"


def test_a_flip_just_before_the_writing_keeps_users_queued(
    redis_client: Redis, tmp_path: Path, night: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_writing(monkeypatch, lambda: make_night(redis_client, tmp_path))
    (done,) = refresh(redis_client, tmp_path)
    assert (done.overtaken, done.n_lists) == (True, 0)
    assert set(waiting(redis_client)) == ACTORS
    (done,) = refresh(redis_client, tmp_path)
    assert (done.generation, done.n_lists, waiting(redis_client)) == (2, 3, {})


def test_a_crash_after_the_writing_leaves_users_queued(
    redis_client: Redis, tmp_path: Path, night: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(_Batch, "leave_queue", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            refresh(redis_client, tmp_path)
    assert set(waiting(redis_client)) == ACTORS
    first = lists(redis_client, 1)
    (done,) = refresh(redis_client, tmp_path)
    assert (done.n_lists, done.n_new, waiting(redis_client)) == (3, 0, {})
    assert lists(redis_client, 1) == first


def test_scripts_touch_keys_of_one_tag(
    redis_client: Redis, cluster_url: str, tmp_path: Path, night: Run
) -> None:
    """A server in cluster mode refuses a command or a script whose keys are in two slots."""
    with closing(
        Redis.from_url(cluster_url, retry=UNTIL_UP, retry_on_error=[ClusterDownError])
    ) as node:
        node.cluster("ADDSLOTSRANGE", 0, 16383)
        copy(redis_client, node)
        (done,) = refresh(node, tmp_path)
        assert (done.n_lists, waiting(node)) == (3, {})
        found, left = forget(node, SHOP, "u00")
        assert (len(found.keys), bool(left)) == (3, False)
        with pytest.raises(ResponseError, match="same slot"):
            node.exists(KEYS.list(1, "als", "u01"), KEYS.list(1, "als", "u02"))


def copy(client: Any, to: Any) -> None:
    """Copy all keys, without their times to live."""
    for key in client.scan_iter():
        kind = client.type(key)
        if kind == b"string":
            to.set(key, client.get(key) or b"")
        elif kind == b"hash":
            to.hset(key, mapping=client.hgetall(key))
        else:
            to.zadd(key, dict(client.zrange(key, 0, -1, withscores=True)))


def test_doctor_and_republish_know_of_it(redis_client: Redis, tmp_path: Path, night: Run) -> None:
    n_night = sum(generations.current(redis_client, SHOP).counts.values())  # type: ignore[union-attr]
    refresh(redis_client, tmp_path)
    keys = examine(redis_client, SHOP, 1800)["keys"]
    assert keys.found == f"{n_night + 2} of {n_night + 2} keys seen, in 100% of the database"
    redis_client.unlink(KEYS.list(1, "als", "u01"))
    assert examine(redis_client, SHOP, 1800)["keys"].outcome != "ok"

    refreshed = {user: lists(redis_client, 1)[user] for user in ACTORS}
    redis_client.flushdb()
    source = SavedRun.open(night.folder)
    again = republish(redis_client, source, PublishSettings())
    assert again.digest == source.manifest.digest
    assert "new" not in lists(redis_client, again.generation)
    (done,) = refresh(redis_client, tmp_path)
    assert (done.generation, done.n_lists) == (again.generation, 3)
    assert lists(redis_client, again.generation).items() >= refreshed.items()


def test_what_is_in_the_way_is_named(redis_client: Redis, tmp_path: Path, night: Run) -> None:
    (served,) = open_served(redis_client, SHOP, tmp_path)
    with pytest.raises(InputError, match="nowhere is no folder"):
        refreshing.refresh_lists(redis_client, served, tmp_path / "nowhere", SETTINGS, NOW)
    torn = collect(tmp_path / "events", MORNING[0])
    torn.write_bytes(torn.read_bytes()[:100])
    with pytest.raises(InputError, match=rf"cannot be read.*{torn.name}"):
        refresh(redis_client, tmp_path)
    assert set(waiting(redis_client)) >= {"u00", "u05"}
    with pytest.raises(RunFolderError, match=r"manifest\.json"):
        refresh(redis_client, tmp_path / "elsewhere")
    with pytest.raises(TransitionRefused, match="nothing live"):
        open_served(redis_client, "home", tmp_path)
    (night.folder / "events.parquet").unlink()
    with pytest.raises(RunFolderError, match=r"lacks events\.parquet"):
        refresh(redis_client, tmp_path)
    manifest = json.loads((night.folder / "manifest.json").read_bytes())
    (night.folder / "manifest.json").write_text(json.dumps(manifest | {"digest": "another"}))
    with pytest.raises(RunFolderError, match="--run-root"):
        refresh(redis_client, tmp_path)


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Let something happen once, between the making of lists and their writing."""
    left: Iterator[Callable[[], Any]] = iter([happens])

    def slowly(tracked: TrackedEvents, users: Any) -> Recomputed:
        fresh = recompute(tracked, users)
        next(left, lambda: None)()
        return fresh

    monkeypatch.setattr(refreshing, "recompute", slowly)
