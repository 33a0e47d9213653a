"""A shop under watch: a live night, a service's /metrics, an event log and a webhook."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import SecretStr
from redis import Redis

from nightshelf.client.transport.connection import connect
from nightshelf.contract.experiment import Experiment, Variant
from nightshelf.contract.incident import Reading
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from tasks.watch.receivers import apprise_senders
from tasks.watch.settings import WatchSettings
from tasks.watch.watch import PassDone, Watched, watch_pass

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERY = timedelta(minutes=5)
KEYS = Keys("shop")
PAST_LIMITS = {"coverage": 0.7, "diversity": 0.8, "fallback_share": 0.1}


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free port meanwhile; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Webhook:
    """A local receiver: titles and bodies as they arrived; `refuses` makes it answer 500."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.refuses = False

    @contextmanager
    def open(self) -> Iterator[str]:
        """Receive meanwhile; yields the Apprise address, with a secret in it."""
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not webhook.refuses:
                    webhook.received.append(json.loads(body))
                self.send_response(500 if webhook.refuses else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        with serving(Handler) as place:
            yield f"json://ops:s3cret@{place}/t0ken"

    @property
    def titles(self) -> list[str]:
        return [each["title"] for each in self.received]


@dataclass
class Metrics:
    """/metrics of a process: a minute's counts are added by `count`."""

    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    slow: int = 0
    misses: int = 0
    unkept: int = 0
    up: bool = True
    key: str = "k3y"

    def count(
        self,
        n: int = 1000,
        *,
        errors: int = 0,
        fallbacks: int = 0,
        slow: int = 0,
        unkept: int = 0,
    ) -> None:
        """Count reads: some failed, some fallbacks (which are misses too), some slow (0.75 s).

        Half are found in the process, less those `unkept`.
        """
        self.unkept += unkept
        self.requests, self.errors = self.requests + n, self.errors + errors
        self.fallbacks, self.slow = self.fallbacks + fallbacks, self.slow + slow
        self.misses += fallbacks

    @property
    def text(self) -> str:
        page = 'endpoint="/recommendations",model="als"'
        own = self.requests - self.errors - self.fallbacks
        quick = self.requests - self.slow
        kept = self.requests // 2 - self.unkept
        return "\n".join(
            [
                f'nightshelf_requests_total{{{page},source="list",status="200"}} {own}',
                f'nightshelf_requests_total{{{page},source="popular:all",status="200"}} '
                f"{self.fallbacks}",
                f'nightshelf_requests_total{{{page},source="",status="503"}} {self.errors}',
                *(
                    "nightshelf_request_duration_seconds_bucket"
                    f'{{endpoint="/recommendations",le="{le}"}} {n}'
                    for le, n in (
                        ("0.005", quick),
                        ("0.5", quick),
                        ("1.0", self.requests),
                        ("+Inf", self.requests),
                    )
                ),
                f'nightshelf_cache_hits_total{{tier="redis"}} {self.requests - self.misses}',
                f'nightshelf_cache_misses_total{{tier="redis"}} {self.misses}',
                f'nightshelf_cache_hits_total{{tier="process"}} {kept}',
                f'nightshelf_cache_misses_total{{tier="process"}} {self.requests - kept}',
                "process_start_time_seconds 1.7e9\n",
            ]
        )

    @contextmanager
    def open(self) -> Iterator[str]:
        """Serve meanwhile; yields the address."""
        metrics = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                right = self.headers["Authorization"] == f"Bearer {metrics.key}"
                self.send_response(200 if metrics.up and right else 500 if right else 401)
                self.end_headers()
                self.wfile.write(metrics.text.encode())

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        with serving(Handler) as place:
            yield f"http://{place}"


@dataclass
class ShopUnderWatch:
    """All that a pass reads and writes; a test changes it, and goes on by passes of five minutes.

    Each pass counts `traffic` first: arguments of `Metrics.count`.
    """

    client: Redis
    root: Path
    settings: WatchSettings
    metrics: Metrics
    now: datetime = NOW
    traffic: dict[str, int] = field(default_factory=dict)
    last: PassDone | None = None

    def __post_init__(self) -> None:
        for number, ago in ((1, 25), (2, 1)):
            self.make_night(number, NOW - timedelta(hours=ago))
        self.go_live(2)
        self.write_events()

    @property
    def watched(self) -> Watched:
        return Watched("shop", self.root / "runs", self.root / "events")

    def folder(self, number: int) -> Path:
        return self.root / "runs/shop" / str(number)

    def make_night(
        self,
        number: int,
        made: datetime,
        *,
        n_events: int = 1000,
        gates: dict[str, str] | None = None,
        ndcg: float = 0.2,
        **lists: float,
    ) -> Manifest:
        """Write a night's manifest and report."""
        midnight = made.replace(hour=0, minute=0, second=0)
        manifest = Manifest(
            number,
            midnight.isoformat(),
            staged_at=made.isoformat(),
            digest=f"d{number}",
            counts={"list": 10},
            gates=gates or {"coverage": "pass"},
            inputs={"events": f"hash-{n_events}"},
        )
        report = {
            "lists": PAST_LIMITS | lists,
            "input": {"events": n_events, "event_types": {"view": n_events}},
            "offline_quality": {"lists": {"ndcg_at_10": ndcg}, "popularity": {"ndcg_at_10": 0.1}},
        }
        self.folder(number).mkdir(parents=True, exist_ok=True)
        (self.folder(number) / "manifest.json").write_bytes(manifest.to_json())
        (self.folder(number) / "report.json").write_text(json.dumps(report))
        self.client.hset(KEYS.generations, str(number), manifest.to_json())
        return manifest

    def manifest(self, number: int) -> Manifest:
        return Manifest.from_json(self.client.hget(KEYS.generations, str(number)) or b"")

    def go_live(self, number: int, **fields: Any) -> None:
        """Point readers at a generation."""
        live = replace(self.manifest(number), state="live", **fields)
        self.client.hset(KEYS.generations, str(number), live.to_json())
        self.client.set(KEYS.current, live.to_json())

    def write_events(self, impressions: int = 6000, clicks: int = 600, bought: int = 60) -> None:
        """Write a log of an hour ago, in place of the one before."""
        kinds = ["impression"] * impressions + ["click"] * clicks + ["purchase"] * bought
        at = self.now - timedelta(hours=1)
        columns = {
            "event_id": [f"e{n}" for n in range(len(kinds))],
            "event_type": kinds,
            "ts": pa.array([at] * len(kinds), pa.timestamp("us", "UTC")),
        }
        shutil.rmtree(self.root / "events", ignore_errors=True)
        folder = self.root / f"events/date={at:%Y-%m-%d}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table(columns), folder / "tracked-1.parquet")

    def begin_night(self, number: int, hours_ago: float) -> None:
        """Leave a night unfinished that wrote its last file so long ago."""
        self.folder(number).mkdir(parents=True, exist_ok=True)
        path = self.folder(number) / "made_from.json"
        path.write_text(json.dumps({"as_of": self.now.isoformat()}))
        at = (self.now - timedelta(hours=hours_ago)).timestamp()
        os.utime(path, (at, at))

    def run(self, n_passes: int = 1, client: Redis | None = None) -> list[PassDone]:
        """Do passes, each by itself as the schedule does, five minutes apart."""
        done = []
        for _ in range(n_passes):
            self.now += EVERY
            self.metrics.count(**self.traffic)
            senders = apprise_senders(self.settings.notify)
            with connect(url_of(client or self.client), timeout_s=2) as own:
                each = watch_pass(own, self.watched, self.settings, senders, self.now)
            self.last = each
            done.append(each)
        return done

    def reading(self, rule: str) -> Reading:
        assert self.last
        return next(each for each in self.last.done.figures if each.rule == rule)

    def lack_a_model(self) -> None:
        """Let an experiment run that needs a model that the night has not published."""
        variants = (Variant("a", "als", ((0, 5000),)), Variant("b", "graph", ((5000, 10000),)))
        test = Experiment("exp", 1, ((0, 10000),), variants, "", "", "running")
        self.go_live(2, experiments=(test,))


def url_of(client: Redis) -> str:
    """Return the URL of a client."""
    of = client.connection_pool.connection_kwargs
    return f"redis://{of['host']}:{of['port']}/{of.get('db', 0)}"


@contextmanager
def under_watch(client: Redis, root: Path, webhook: Webhook) -> Iterator[ShopUnderWatch]:
    """A healthy shop with one process, and a webhook that gets the messages."""
    metrics = Metrics()
    with metrics.open() as address, webhook.open() as notify:
        settings = WatchSettings(
            services=(address,),
            service_key=SecretStr(metrics.key),
            notify=(SecretStr(notify),),
        )
        yield ShopUnderWatch(client, root, settings, metrics)
