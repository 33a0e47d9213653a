"""Collecting: every tracked event is in the log, every invalid entry in a file of its own."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from nightshelf import Event, Shelf
from nightshelf.admin.erasure import forget
from nightshelf.client.transport.connection import connect
from tasks.collector import collect as collecting
from tasks.collector.collect import CollectSettings
from tasks.collector.event_schema import EVENTS
from tasks.collector.event_stream import GROUP, EventStream
from tasks.collector.log_files import quarantine_of
from tasks.features.serving_rules import counting_of
from tasks.features.settings import FeatureSettings
from tasks.ingest.settings import EventSettings
from tests.lookup.experiments import LINKS, experimenting
from tests.lookup.shelves import publish
from tests.tasks.collector.event_streams import (
    AT_ONCE,
    KEY,
    SHOP,
    entries_of,
    entry_fields,
    event_ids,
    gather,
    n_counted,
    put,
    rows_of,
    track,
)
from tests.tasks.logs import YESTERDAY, clean, event, item, read, write

AT = datetime(2026, 3, 4, 23, 59, 59, 123456, tzinfo=UTC)
STAMP_MS = 1_772_700_000_000


def pending(client: Redis) -> int:
    count: int = client.xpending(KEY, GROUP)["pending"]
    return count


def test_what_apps_told_is_what_the_log_holds(
    redis_client: Redis, redis_url: str, tmp_path: Path
) -> None:
    publish(redis_client)
    shelf = Shelf(connect(redis_url, timeout_s=5), SHOP)
    page = shelf.get("ann", 2)
    shelf.acted("ann", "purchase", "A1", 9.5, at=AT, event_id="bought")
    shelf.acted("Ünal", "profile_update", at=AT + timedelta(seconds=1), event_id="moved")
    shown = shelf.shown("ann", page, first=11, variant="b").event_ids
    shelf.clicked("ann", "B1", position=12, generation=1, event_id="clicked")
    stamps = [entry_id for entry_id, _ in entries_of(redis_client)]

    collected = gather(redis_client, tmp_path / "log")
    counts = (collected.n_events, collected.n_files, collected.n_trimmed, collected.n_malformed)
    assert counts == (5, 3, 5, 0)
    rows = {row["event_id"]: row for row in rows_of(tmp_path / "log")}
    assert set(rows) == {"bought", "moved", *shown, "clicked"}
    arrived = datetime.fromtimestamp(int(stamps[0].split(b"-")[0]) / 1000, UTC)
    assert rows["bought"] == dict.fromkeys(EVENTS.names) | {
        "event_id": "bought",
        "user_id": "ann",
        "event_type": "purchase",
        "ts": AT,
        "item_id": "A1",
        "value": 9.5,
        "arrived_at": arrived,
    }
    assert (rows["moved"]["user_id"], rows["moved"]["item_id"]) == ("Ünal", None)
    seen = rows[shown[1]]
    assert (seen["item_id"], seen["position"], seen["generation"]) == ("B1", 12, 1)
    assert (seen["model"], seen["variant"], seen["event_type"]) == ("als", "b", "impression")
    assert rows["clicked"]["position"] == 12
    today = datetime.now(UTC).date().isoformat()
    folders = sorted(path.name for path in (tmp_path / "log").iterdir())
    assert folders == ["date=2026-03-04", "date=2026-03-05", f"date={today}"]


def test_exposures_stand_beside_files_of_before_experiments(
    redis_client: Redis, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    names = [name for name in EVENTS.names if name not in ("experiment", "phase")]
    old = pa.schema([EVENTS.field(name) for name in names])
    put(log / f"date={AT.date()}" / "tracked-1-0_1-1-0000000000000001.parquet", {"old": AT}, old)
    experimenting(redis_client)
    shelf = Shelf(redis_client, SHOP)
    shelf.shown(LINKS, shelf.get(LINKS, 1))
    track(redis_client, "new", experiment="exp-1", phase="7")
    gather(redis_client, log)
    rows = {row["event_type"]: row for row in rows_of(log) if row["event_id"] != "old"}
    shown = rows["impression"]
    names = ["experiment", "variant", "phase", "generation", "model", "position"]
    assert [shown[name] for name in names] == ["exp-1", "links", 2, 1, "ease", 1]
    assert (rows["view"]["experiment"], rows["view"]["phase"]) == ("exp-1", 7)
    now = datetime.now(UTC) + timedelta(minutes=1)
    cleaned = clean(tmp_path / "night", log, [item("i1")], as_of=now, now=now)
    assert cleaned.n_events == 2  # impressions teach nothing


def test_files_are_sorted_checked_and_of_one_schema(redis_client: Redis, tmp_path: Path) -> None:
    for event_id, late_s in (("b", 2), ("a", 2), ("c", 1)):
        track(redis_client, event_id, ts=(AT - timedelta(seconds=10 - late_s)).isoformat())
    gather(redis_client, tmp_path / "log")
    (path,) = (tmp_path / "log").rglob("*.parquet")
    assert [row["event_id"] for row in read(path)] == ["c", "a", "b"]
    assert pq.read_schema(path).equals(EVENTS)
    assert "date=2026-03-04" in str(path)
    pq.read_table(path, page_checksum_verification=True, partitioning=None)
    assert not [each for each in path.parent.iterdir() if each.name.startswith(".")]


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"event_id": ""}, "event_id missing"),
    ({"user_id": ""}, "user_id missing"),
    ({"user_id": "é" * 86}, "user_id too long"),
    ({"user_id": b"\xff"}, "user_id not UTF-8"),
    ({"item_id": "x" * 513}, "item_id too long"),
    ({"event_type": ""}, "event_type missing"),
    ({"event_type": "x" * 513}, "event_type too long"),
    ({"ts": ""}, "ts missing"),
    ({"ts": "yesterday"}, "ts unparsable"),
    ({"ts": "0001-01-01T00:00:00+14:00"}, "ts unparsable"),
    ({"ts": "9999-12-31T00:00:00Z"}, "ts in the future"),
    ({"value": "nan"}, "value unparsable"),
    ({"value": "1e999"}, "value unparsable"),
    ({"value": "a lot"}, "value unparsable"),
    ({"position": "1.5"}, "position unparsable"),
    ({"position": str(2**31)}, "position unparsable"),
    ({"generation": "9" * 19}, "generation unparsable"),
    ({"generation": "9" * 5_000}, "generation unparsable"),
    ({"latency_ms": "inf"}, "latency_ms unparsable"),
    ({"phase": "two"}, "phase unparsable"),
    ({"phase": str(2**31)}, "phase unparsable"),
    ({"experiment": "x" * 513}, "experiment too long"),
]


def test_what_is_no_event_is_kept_apart_with_its_reason(
    redis_client: Redis, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    for changes, _ in MALFORMED:
        redis_client.xadd(KEY, entry_fields("bad") | changes)
    redis_client.xadd(KEY, {b"\xff\x00": b"\xfe", "x": "y"})
    track(redis_client, "good")
    given = {entry_id.decode(): fields for entry_id, fields in entries_of(redis_client)}

    collected = gather(redis_client, log)
    expected = [reason for _, reason in MALFORMED] + ["event_id missing"]
    (path,) = quarantine_of(log).iterdir()
    rows = read(path)
    assert [row["reason"] for row in rows] == expected
    for row in rows:
        said = {field["name"]: field["value"] for field in row["fields"]}
        assert said == given[row["entry_id"]]
    assert collected.malformed == {reason: expected.count(reason) for reason in set(expected)}
    assert (collected.n_malformed, collected.n_events) == (len(expected), 1)
    assert event_ids(log) == ["good"]
    assert (redis_client.xlen(KEY), pending(redis_client)) == (0, 0)


def test_an_id_beyond_all_time_stops_nothing(own_redis_client: Redis, tmp_path: Path) -> None:
    own_redis_client.xadd(KEY, entry_fields("late"), id=f"{2**63}-{2**64 - 1}")
    track(own_redis_client, "later")
    assert gather(own_redis_client, tmp_path / "log").malformed == {"entry id beyond all time": 2}
    assert own_redis_client.xlen(KEY) == 0


def test_nothing_new_leaves_nothing(redis_client: Redis, tmp_path: Path) -> None:
    collected = gather(redis_client, tmp_path / "log")
    assert (collected.n_events, collected.n_files, collected.n_lost) == (0, 0, 0)
    assert not (tmp_path / "log").exists()


def test_a_batch_ends_at_either_bound_and_a_run_at_its_time(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "_READ", 10)
    track(redis_client, *map(str, range(100)))
    by_count = CollectSettings(max_batch_entries=30, max_s=1e-9)
    for log, bounds, n_events in (
        ("a", by_count, 0),  # the first batch is what was left behind: nothing
        ("b", CollectSettings(max_batch_entries=30), 100),
    ):
        collected = gather(redis_client, tmp_path / log, bounds)
        assert collected.n_events == n_events
    assert collected.n_files == 4
    track(redis_client, *map(str, range(100)), model="m" * 500)
    assert gather(redis_client, tmp_path, CollectSettings(max_batch_bytes=10_000)).n_files == 5


def test_what_a_dead_collector_took_gives_the_same_file_again(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(redis_client, *"abc", ts=AT.isoformat())
    with monkeypatch.context() as dying:
        dying.setattr(EventStream, "acknowledge", _die)
        with pytest.raises(RuntimeError, match="died"):
            gather(redis_client, tmp_path / "log")
    (path,) = (tmp_path / "log").rglob("*.parquet")
    before = path.read_bytes()
    track(redis_client, "d")
    alive = gather(redis_client, tmp_path / "log", CollectSettings(claim_after_s=60))
    assert (alive.n_events, alive.n_claimed, alive.n_trimmed) == (1, 0, 0)  # it may still be at it
    dead = gather(redis_client, tmp_path / "log")
    assert (dead.n_events, dead.n_claimed, dead.n_trimmed) == (3, 3, 4)
    assert path.read_bytes() == before
    assert event_ids(tmp_path / "log") == list("abcd")


def _die(_: EventStream, entries: list[Any]) -> None:
    if entries:
        raise RuntimeError("the collector died")


def test_other_entries_never_take_a_files_name(redis_client: Redis, tmp_path: Path) -> None:
    for drop in (None, "b"):
        redis_client.delete(KEY)
        for at, event_id in enumerate("abc"):
            if event_id != drop:
                redis_client.xadd(
                    KEY, entry_fields(event_id, ts=AT.isoformat()), id=f"{STAMP_MS}-{at}"
                )
        gather(redis_client, tmp_path / "log")
    assert event_ids(tmp_path / "log") == list("aabcc")


def test_two_collectors_share_the_work(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "_READ", 10)
    few = CollectSettings(max_batch_entries=10)
    event_ids_sent = [f"{n:03}" for n in range(100)]
    track(redis_client, *event_ids_sent)
    holds, go_on = threading.Event(), threading.Event()
    acknowledge = EventStream.acknowledge

    def wait(stream: EventStream, entries: list[Any]) -> None:
        if threading.current_thread() is slow and entries:
            holds.set()
            assert go_on.wait(20)
        acknowledge(stream, entries)

    monkeypatch.setattr(EventStream, "acknowledge", wait)
    slow = threading.Thread(target=gather, args=(redis_client, tmp_path / "log", few))
    slow.start()
    assert holds.wait(20)
    quick = gather(redis_client, tmp_path / "log", few)
    assert (quick.n_events, quick.n_trimmed) == (90, 0)  # what the slow one holds is not trimmed
    go_on.set()
    slow.join()
    assert event_ids(tmp_path / "log") == event_ids_sent
    assert (redis_client.xlen(KEY), pending(redis_client)) == (0, 0)


def test_who_is_taken_for_dead_does_no_harm(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(redis_client, *"abc")
    acknowledge = EventStream.acknowledge

    def overtaken(stream: EventStream, entries: list[Any]) -> None:
        if not entries:
            return
        monkeypatch.setattr(EventStream, "acknowledge", acknowledge)
        assert gather(redis_client, tmp_path / "log").n_claimed == 3
        acknowledge(stream, entries)

    monkeypatch.setattr(EventStream, "acknowledge", overtaken)
    assert gather(redis_client, tmp_path / "log").n_lost == 0
    assert event_ids(tmp_path / "log") == list("abc")
    assert redis_client.xlen(KEY) == 0


def test_nothing_is_trimmed_that_another_group_needs(
    own_redis_client: Redis, tmp_path: Path
) -> None:
    client, log = own_redis_client, tmp_path / "log"
    ids = track(client, *"abcde")
    client.xgroup_create(KEY, "other", "0")
    assert gather(client, log).n_trimmed == 0
    client.xreadgroup("other", "one", {KEY: ">"}, count=4)
    assert gather(client, log).n_trimmed == 0
    client.xack(KEY, "other", ids[0], ids[1], ids[3])
    assert gather(client, log).n_trimmed == 2
    assert [entry_id for entry_id, _ in entries_of(client)] == ids[2:]
    client.xack(KEY, "other", ids[2])
    assert gather(client, log).n_trimmed == 2
    client.xreadgroup("other", "one", {KEY: ">"})
    client.xack(KEY, "other", ids[4])
    assert (gather(client, log).n_trimmed, client.xlen(KEY)) == (1, 0)
    assert event_ids(log) == list("abcde")


def test_what_is_dropped_uncollected_is_counted(
    own_redis_url: str, own_redis_client: Redis, tmp_path: Path
) -> None:
    shelf = Shelf(connect(own_redis_url, timeout_s=5), SHOP)
    shelf.record([Event("ann", "view", "A1")])
    assert gather(own_redis_client, tmp_path / "log").n_lost == 0
    for _ in range(5):
        shelf.record([Event("ann", "view", "A1")] * 100)
    own_redis_client.xtrim(KEY, maxlen=10)  # as writers do that may not ask how many wait
    left = own_redis_client.xlen(KEY)
    collected = gather(own_redis_client, tmp_path / "log")
    assert (collected.n_lost, collected.n_events) == (500 - left, left)
    assert collected.n_lost > 200
    shelf.record([Event("ann", "view", "A1")])
    assert gather(own_redis_client, tmp_path / "log").n_lost == 0, "it is told once"


steps = st.one_of(
    st.tuples(st.just("track"), st.integers(1, 6)),
    st.tuples(st.just("drop"), st.integers(0, 6)),
    st.tuples(st.just("read"), st.integers(1, 3)),
)


@settings(max_examples=60)
@given(plan=st.lists(steps, max_size=14), lagging=st.booleans())
def test_every_loss_is_counted_once(
    own_redis_client: Redis, plan: list[tuple[str, int]], lagging: bool
) -> None:
    client, stream = own_redis_client, EventStream(own_redis_client, KEY)
    client.flushall()
    stream.join()
    if lagging:  # so that what was read stays in the stream
        client.xgroup_create(KEY, "other", "0")
    unread: list[bytes] = []
    lost = found_lost = 0
    for step, n in [*plan, ("read", 100)]:
        if step == "track":
            unread += track(client, *map(str, range(n)))
        elif step == "drop":
            client.xtrim(KEY, maxlen=n, approximate=False)
            lost += max(0, len(unread) - n)
            unread = unread[max(0, len(unread) - n) :]
        else:
            for chunk in islice(stream.read(2), n):
                assert [entry_id for entry_id, _ in chunk.entries] == unread[:2]
                unread = unread[2:]
                found_lost += chunk.n_lost
                stream.acknowledge(chunk.entries)
                stream.trim()
            assert found_lost == lost


def test_what_was_erased_is_no_loss(own_redis_client: Redis, tmp_path: Path) -> None:
    client, log = own_redis_client, tmp_path / "log"
    track(client, "a")
    gather(client, log)
    track(client, "b", user_id="eve")
    track(client, "c")
    forget(client, SHOP, "eve")
    collected = gather(client, log)
    assert (collected.n_lost, collected.n_unsure) == (0, 1)
    track(client, "d")
    collected = gather(client, log)
    assert (collected.n_lost, collected.n_unsure) == (0, 0)
    assert event_ids(log) == list("acd")


def test_what_left_a_dead_collectors_hands_is_said(own_redis_client: Redis, tmp_path: Path) -> None:
    EventStream(own_redis_client, KEY).join()
    track(own_redis_client, *"abc")
    own_redis_client.xreadgroup(GROUP, "dead", {KEY: ">"})
    own_redis_client.xtrim(KEY, maxlen=1, approximate=False)
    collected = gather(own_redis_client, tmp_path / "log")
    assert (collected.n_claimed, collected.n_unsure, collected.n_lost) == (1, 2, 0)
    assert gather(own_redis_client, tmp_path / "log").n_unsure == 0


def test_what_left_before_the_first_collector_is_not_its_loss(
    own_redis_client: Redis, tmp_path: Path
) -> None:
    track(own_redis_client, *"abcde")
    own_redis_client.xtrim(KEY, maxlen=2, approximate=False)
    assert gather(own_redis_client, tmp_path / "log").n_lost == 0
    assert event_ids(tmp_path / "log") == ["d", "e"]


def test_the_night_reads_the_shops_log_and_this_from_one_folder(
    redis_client: Redis, tmp_path: Path
) -> None:
    log, now = tmp_path / "log", datetime.now(UTC)
    shops = [event(item_id="i1", ts=YESTERDAY, event_type="purchase") | {"session_id": "s"}]
    write(log / f"date={YESTERDAY.date()}" / "0.parquet", shops)
    track(redis_client, "a", "b", "a", item_id="i2")
    track(redis_client, "c", ts=YESTERDAY.isoformat())
    gather(redis_client, log)
    cleaned = clean(
        tmp_path, log, [item("i1"), item("i2")], as_of=now + timedelta(minutes=1), now=now
    )
    assert (cleaned.n_events, cleaned.n_duplicates, cleaned.n_quarantined) == (4, 1, 0)
    assert n_counted(log, tmp_path / "again") == 4
    then = YESTERDAY + timedelta(seconds=1)
    before = clean(tmp_path / "before", log, [item("i1")], as_of=then, now=now)
    assert (before.n_events, before.n_after_as_of) == (1, 4), "unread until it has arrived"


def test_of_a_past_day_that_is_played_again_the_night_of_that_day_sees_all(
    redis_client: Redis, tmp_path: Path
) -> None:
    day = AT.replace(hour=0, minute=0, second=0, microsecond=0)
    last = (day + timedelta(days=1)).isoformat()
    track(redis_client, "a", "b", ts=AT.isoformat())
    track(redis_client, "later", ts=(AT + timedelta(days=1)).isoformat())
    track(redis_client, "ahead", ts=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    again = gather(redis_client, tmp_path / "log", replace(AT_ONCE, replay=True))
    assert again.malformed == {"ts in the future": 1}, "no day is played before it has come"
    assert all(row["arrived_at"] == row["ts"] for row in rows_of(tmp_path / "log"))
    items, until = [item("i1")], datetime.fromisoformat(last)
    cleaned = clean(tmp_path, tmp_path / "log", items, as_of=until, now=datetime.now(UTC))
    assert (cleaned.n_events, cleaned.n_after_as_of) == (2, 1)


def test_a_run_that_cannot_write_acknowledges_nothing(redis_client: Redis, tmp_path: Path) -> None:
    track(redis_client, "a")
    (tmp_path / "log").write_text("in the way")
    with pytest.raises(OSError, match="log"):
        gather(redis_client, tmp_path / "log")
    assert pending(redis_client) == 1
    (tmp_path / "log").unlink()
    assert gather(redis_client, tmp_path / "log").n_claimed == 1
    assert event_ids(tmp_path / "log") == ["a"]


def test_events_of_types_that_no_setting_names_are_collected_and_counted(
    redis_client: Redis, tmp_path: Path
) -> None:
    for name in ("order", "ordr", "ordr", *(f"made-up-{at}" for at in range(9)), "view"):
        track(redis_client, f"{name}-{redis_client.xlen(KEY)}", event_type=name)
    own = FeatureSettings(weights={"order": 5.0}, seen=("order",))
    counting = counting_of(EventSettings(), own)
    collected = collecting.collect(redis_client, SHOP, tmp_path / "log", AT_ONCE, counting)
    assert (collected.n_events, collected.n_unknown) == (13, 11)  # a view has no weight, and a use
    assert collected.unknown == {"ordr": 2} | {f"made-up-{at}": 1 for at in range(4)}
