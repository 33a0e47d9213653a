"""The console beside a million keys: pages answer at once, and the first one scans nothing."""

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from redis import Redis

from nightshelf.contract.keys import Keys
from tests.conftest import run_valkey
from tests.console.shop import plant
from tests.lookup.service.serving import Server, serving
from tests.lookup.shelves import SHOP, publish

N_KEYS, _BATCH = 1_000_000, 100_000
N_GENERATIONS = 60
_ROUNDS = 15
#: Sets keys that differ in a number at their end; the server is quicker at that than a client.
_FILL = """
for at = ARGV[1], ARGV[2] do
  redis.call('SET', KEYS[1] .. string.format('%07d', at), ARGV[3])
end
"""
#: Commands whose cost grows with the keys of the server.
_SCANS = {"cmdstat_scan", "cmdstat_keys", "cmdstat_randomkey"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def full_url() -> Iterator[str]:
    """A Valkey of this module's own."""
    yield from run_valkey()


@pytest.fixture(scope="module")
def full(full_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service before a million keys of one generation, after `N_GENERATIONS` nights."""
    folder = tmp_path_factory.mktemp("million")
    with closing(Redis.from_url(full_url)) as client:
        plant(client, folder / "runs")
        report = json.loads((folder / "runs" / SHOP / "2" / "report.json").read_text())
        report["curves"] = {"values": [at / 7 for at in range(5_000)]}  # as large as a true one
        for number in range(3, N_GENERATIONS + 1):
            publish(client, number, metrics={"coverage": 0.5})
            run = folder / "runs" / SHOP / str(number)
            run.mkdir()
            (run / "report.json").write_text(json.dumps(report))
        first_key = Keys(SHOP).list(N_GENERATIONS, "als", "u")
        value = b'{"items":["A"],"scores":[1],"reasons":[["taste"]],"why":[0]}'
        for first in range(0, N_KEYS, _BATCH):
            client.eval(_FILL, 1, first_key, first, first + _BATCH - 1, value)
    settings = {"console": "true", "runs_dir": str(folder / "runs")}
    with serving(full_url, folder / "service.log", **settings) as server:
        server.wait_ready()
        yield server


def median_ms(client: httpx.Client, path: str) -> float:
    """Return the median of some requests, once files are parsed."""
    times = []
    for _ in range(_ROUNDS + 1):
        began = time.perf_counter()
        answer = client.get(f"/console/{path}")
        times.append(1_000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    return statistics.median(times[1:])


def test_the_overview_answers_at_once_and_scans_nothing(
    full: Server, full_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Redis.from_url(full_url)) as redis, httpx.Client(base_url=full.url) as client:
        assert redis.dbsize() > N_KEYS
        redis.config_resetstat()
        overview_ms = median_ms(client, "")
        assert not _SCANS & redis.info("commandstats").keys()
        others = {path: median_ms(client, path) for path in ("generations", "generation?number=9")}
        assert not _SCANS & redis.info("commandstats").keys()
        others["diff?a=59&b=60"] = median_ms(
            client, f"diff?a={N_GENERATIONS - 1}&b={N_GENERATIONS}"
        )
    with capsys.disabled():
        figures = {"overview": overview_ms} | others
        print(f"\n{N_KEYS:,} keys:", ", ".join(f"{k} {v:.0f} ms" for k, v in figures.items()))
    assert overview_ms < 100
