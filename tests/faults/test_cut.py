"""Fault 8: the network between publisher and server breaks, again and again."""

import random
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from nightshelf.admin import generations
from nightshelf.contract.keys import Keys
from tasks.artifacts.records import Provenance
from tasks.errors import RedisUnavailable
from tasks.publish.go_live import flip
from tasks.publish.keyspace import Digest
from tasks.publish.redis_client import connect
from tasks.publish.stage import open_run, read_back, stage
from tasks.runs.run_folder import Run
from tests.faults.nights import SETTINGS, SHOP, contents, live, n_lost, night, shelves_of
from tests.faults.proxy import Proxy, cutting
from tests.tasks.small_models import AS_OF

#: For the page; otherwise a quarter of them.
N_NIGHTS = 200
N_USERS = 20
#: The server begins empty after so many, lest its history outgrow the lists.
_NIGHTS_A_SERVER = 20
_NIGHT_BYTES = 50_000  # what a night sends and receives, about
_MAX_CUTS = 64
_TRIES = 4  # of the flow with each step, and of the client with each command

T = TypeVar("T")


def patiently(step: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return step()
        except (RedisError, RedisUnavailable):
            continue
    return step()


def patient_night(client: Redis, root: Path) -> Run:
    """Publish as the flow does, each step tried again where Redis failed it."""
    run = patiently(lambda: open_run(client, SHOP, AS_OF, root))
    shelves = shelves_of(run, N_USERS)
    staged = patiently(lambda: stage(run, client, shelves, SETTINGS, Provenance(10, "")))
    patiently(lambda: read_back(run, client, shelves, staged, SETTINGS))
    patiently(lambda: flip(run, client))
    return run


def cuts(choose: random.Random) -> list[int]:
    """Choose after how many bytes each of a night's first connections breaks.

    On one night at any point of it, on another mostly early, so that not even retries help.
    """
    early = choose.random() < 0.5

    def n_bytes() -> int:
        share = choose.random()
        return int(_NIGHT_BYTES**share if early else _NIGHT_BYTES * share) + 1

    return [n_bytes() for _ in range(choose.randint(1, _MAX_CUTS))]


def client_of(proxy: Proxy, tries: int) -> Redis:
    """Return a publisher's client that tries so often, without its waits in between."""
    client = connect(f"redis://127.0.0.1:{proxy.port}/0", SETTINGS)
    client.set_retry(Retry(NoBackoff(), tries - 1))
    return client


def through(proxy: Proxy, root: Path) -> Run | None:
    """Publish a night through the proxy; `None` where it had to give up."""
    with closing(client_of(proxy, _TRIES)) as client:
        try:
            return patient_night(client, root)
        except (RedisError, RedisUnavailable):
            return None


def live_and_whole(client: Redis, root: Path) -> int:
    """Return what is live, after proving that every key of it holds what was computed."""
    manifest = generations.current(client, SHOP)
    assert manifest is not None
    values = contents(shelves_of(Run(SHOP, manifest.generation, AS_OF, root), N_USERS))
    assert n_lost(client, values) == 0
    digest = Digest(Keys(SHOP).prefix(manifest.generation))
    for key, value in values.items():
        digest.add(key, value)
    assert manifest.digest == digest.hexdigest()
    return manifest.generation


def test_cut_connections(
    redis_client: Redis,
    redis_url: str,
    tmp_path: Path,
    figure: Callable[[int, str], None],
    request: pytest.FixtureRequest,
) -> None:
    choose = random.Random(8)
    written = request.config.getoption("--write-reliability", None)
    n_nights = N_NIGHTS if written else N_NIGHTS // 4
    n_live = n_kept = 0
    with cutting(urlsplit(redis_url).port or 0) as proxy:
        for at in range(n_nights):
            if at % _NIGHTS_A_SERVER == 0:
                redis_client.flushdb()
                before = night(redis_client, tmp_path, N_USERS).generation
            proxy.cuts = cuts(choose)
            run = through(proxy, tmp_path)
            now = live_and_whole(redis_client, tmp_path)
            assert run is None or now == run.generation, "a night that ended well is live"
            n_live += now > before
            n_kept += now == before
            before = now
    assert n_live + n_kept == n_nights
    assert min(n_live, n_kept) > n_nights / 20
    assert proxy.n_cut > 5 * n_nights
    figure(
        8,
        f"over {5 * n_nights:,} cuts: {n_live} nights live and exact to the digest, {n_kept} given "
        "up with the generation before live and whole, 0 anything else",
    )


def test_a_flip_cut_at_every_stage(
    redis_client: Redis, redis_url: str, tmp_path: Path, figure: Callable[[int, str], None]
) -> None:
    """The one step that readers see: cut all along, and at each byte of its last answer."""
    night(redis_client, tmp_path, N_USERS)
    run = open_run(redis_client, SHOP, AS_OF, tmp_path)
    stage(run, redis_client, shelves_of(run, N_USERS), SETTINGS, Provenance(10, ""))
    keys = Keys(SHOP)
    before = {
        key: redis_client.dump(key) or b"" for key in (keys.current, keys.generations, keys.fence)
    }

    def flip_through(proxy: Proxy, cuts: list[int]) -> bool:
        proxy.cuts = cuts
        with closing(client_of(proxy, 1)) as client, suppress(RedisError):
            return flip(run, client).state == "live"
        return False

    n_cut = n_unheard = 0
    with cutting(urlsplit(redis_url).port or 0) as proxy:
        assert flip_through(proxy, [])
        n_bytes = proxy.n_bytes
        for cut in (*range(1, n_bytes, 16), *range(n_bytes - 32, n_bytes)):
            for key, value in before.items():
                redis_client.restore(key, 0, value, replace=True)
            assert live(redis_client) == 1
            heard = flip_through(proxy, [cut])
            assert live(redis_client) == 2 or not heard
            n_cut += not heard
            n_unheard += live(redis_client) == 2 and not heard
            assert flip_through(proxy, []), "tried again, it is live"
            assert live(redis_client) == 2
    assert live_and_whole(redis_client, tmp_path) == 2
    assert n_cut > 100
    assert n_unheard > 0
    figure(
        8,
        "the flip alone, cut at over 100 places, also while its answer was on the way: done or not "
        "done, and live when tried again, each time",
    )
