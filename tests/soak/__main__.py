"""The soak's command; ends with 1 where anything that is promised was broken."""

import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Thread
from typing import Annotated

import pyarrow.parquet as pq
import typer
from redis import Redis

from nightshelf.admin import generations
from tasks.collector.compact import CompactSettings, compact
from tests.conftest import free_port
from tests.faults.conftest import rewritten
from tests.faults.servers import Server, serving
from tests.session.prefect_server import run_prefect
from tests.soak.checks import breaches, figures
from tests.soak.faults import Operator, inject_faults
from tests.soak.jobs import Jobs
from tests.soak.journal import Journal, Line, load
from tests.soak.shop import NAMESPACE, available_in, item_ids, open_shop

_N_READERS = 2
_TELL_EVERY_S = 30
_MAX_SHOWN = 10
_MARKS = ("<!-- soak: begin -->", "<!-- soak: end -->")


def main(
    minutes: Annotated[float, typer.Option(min=0.5, help="How long readers read.")] = 10,
    seed: Annotated[int, typer.Option(help="Another number injects faults at other times.")] = 1,
    server: Annotated[str, typer.Option(help="valkey or redis.")] = "valkey",
    write: Annotated[Path | None, typer.Option(help="Write the figures into this page.")] = None,
) -> None:
    """Do everything at once under faults; then check every answer and every event."""
    folder = Path(mkdtemp(prefix="nightshelf-soak-"))
    typer.echo(f"journals, logs and runs: {folder}")
    with ExitStack() as stack:
        (folder / "redis").mkdir()
        redis = stack.enter_context(serving(server, folder / "redis", durable=True))
        prefect = stack.enter_context(contextmanager(run_prefect)(folder / "prefect", free_port()))
        journal = Journal(folder / "journal", "world")
        jobs = Jobs(folder, redis.url, prefect, journal)
        open_shop(folder)
        if jobs.run("nightly"):
            raise SystemExit(f"the first night failed: see {folder / 'output'}")
        typer.echo("the first night is live")
        _do_everything(folder, redis, jobs, journal, minutes, seed)
        findings = _last_night(redis.url, jobs)
        stored = _stored(folder, jobs)
    lines = load(folder / "journal")
    findings += breaches(lines, partial(available_in, folder), stored)
    _tell(lines, findings, minutes, server, write)
    sys.exit(bool(findings))


def _do_everything(
    folder: Path, redis: Server, jobs: Jobs, journal: Journal, minutes: float, seed: int
) -> None:
    """Run readers, jobs, the operator and the faults side by side for so many minutes."""
    done, seconds = Event(), 60 * minutes
    operator = Operator(redis.url, journal, random.Random(seed), item_ids(folder))
    threads = [
        Thread(target=inject_faults, args=(redis, journal, random.Random(seed + 1), done)),
        Thread(target=operator.work, args=(done,)),
        *(
            Thread(target=jobs.loop, args=(name, done, random.Random(f"{seed}-{name}"), share))
            for name, share in (("nightly", 0.4), ("refresh", 0.2), ("collect", 0.3))
        ),
    ]
    command = [sys.executable, "-m", "tests.soak.reader", redis.url, str(folder)]
    readers = [
        subprocess.Popen([*command, str(number), str(seconds)]) for number in range(_N_READERS)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        while any(reader.poll() is None for reader in readers):
            done.wait(_TELL_EVERY_S)
            kinds = Counter(line["kind"] for line in load(folder / "journal"))
            said = ", ".join(f"{name} {n:,}" for name, n in sorted(kinds.items()))
            typer.echo(f"{time.monotonic() - began:,.0f} of {seconds:,.0f} s: {said}")
    finally:
        done.set()
        for reader in readers:
            reader.kill()
            reader.wait()
        for thread in threads:
            thread.join()
    operator.settle()


def _last_night(url: str, jobs: Jobs) -> list[str]:
    """Run one more night, undisturbed: it must go live."""
    if jobs.run("nightly"):
        return ["the last night, which nothing disturbed, failed"]
    with closing(Redis.from_url(url)) as client:
        newest = max(each.generation for each in generations.listing(client, NAMESPACE))
        live = generations.current(client, NAMESPACE)
    if live is None or live.generation != newest:
        return [f"the last night is not live: {newest} of {live}"]
    return []


def _stored(folder: Path, jobs: Jobs) -> Counter[str]:
    """Collect what is left, compact as in days to come, and count every tracked event's id."""
    time.sleep(5)  # what a collector that was killed had taken may be claimed only then
    for _ in range(2):
        jobs.run("collect")
    log = folder / "shop/events"
    for _ in range(2):
        soon = datetime.now(UTC) + timedelta(days=2)
        compact(log, CompactSettings(keep_replaced_s=0), now=soon)
    tracked = [path for path in log.rglob("*.parquet") if path.name[:4] in ("trac", "merg")]
    ids = (pq.read_table(path, columns=["event_id"])["event_id"].to_pylist() for path in tracked)
    return Counter(event_id for each in ids for event_id in each)


def _tell(
    lines: list[Line], findings: list[str], minutes: float, server: str, page: Path | None
) -> None:
    table = [("what", "figure"), ("---", "---"), ("soak", f"{minutes:g} minutes, {server}")]
    table += [*figures(lines).items(), ("breaches", f"{len(findings):,}")]
    rows = ["| " + " | ".join(row) + " |" for row in table]
    typer.echo("\n".join(rows))
    for finding in findings[:_MAX_SHOWN]:
        typer.echo(f"\n{finding[:1_000]}")
    if page is not None and not findings:
        page.write_text(rewritten(page.read_text(), rows, _MARKS))
        typer.echo(f"wrote {page}")


if __name__ == "__main__":
    typer.run(main)
