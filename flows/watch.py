"""The watch, every five minutes: figures against rules, incidents, and messages about them.

    step          what it does                                      what it leaves
    watch_pass    figures of Redis, the nights, the service, the log  runs/<ns>/watch/state.json
                  incidents that open, get worse or end               runs/<ns>/incidents.jsonl
                  their messages, to every receiver                   (a message each)
                  a copy for people                                   watch and incidents in Redis

A source that fails makes its figures unknown; a message that cannot be sent is tried again. It may
die at any point: the next pass goes on (docs/decisions/0051-watch.md).
"""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from redis import Redis, RedisError
from rich.console import Console
from rich.markup import escape

from flows import artifact_key, as_task
from flows._command import plain_errors, run_command
from flows._notify_block import senders_of
from nightshelf.admin.namespace_state import server_time
from nightshelf.client.transport.connection import connect
from nightshelf.contract.incident import Reading
from nightshelf.contract.keys import Keys
from nightshelf.text import minute_text
from tasks.errors import RedisUnavailable
from tasks.settings import load_settings
from tasks.watch import watch as watching
from tasks.watch.watch import PassDone, Watched

watch_pass = as_task(watching.watch_pass)
#: Wait for a reply of Redis: one that is slower is an incident.
_REDIS_S = 5.0


@flow(name="watch", flow_run_name="{namespace}")
def watch(
    namespace: str = "shop",
    events_dir: Path | None = None,
    run_root: Path = Path("runs"),
    config: Path | None = None,
    now: datetime | None = None,
) -> PassDone:
    """Judge the namespace's figures once, and send what is due.

    Args:
        namespace: whose lists these are: a tenant, a scene, a surface.
        events_dir: the collected event log, a folder of `date=YYYY-MM-DD/` partitions.
        run_root: where the nights' folders are.
        config: settings file; `nightshelf.toml` of the working directory where not given.
        now: the time of the pass; by Redis's clock where not given.

    """
    Keys(namespace)  # it names folders too
    settings = load_settings(namespace, config)
    purchases = settings.features.purchase_types
    watched = Watched(namespace, run_root, events_dir, purchases)
    with closing(_connect(settings.redis_url.get_secret_value())) as redis:
        at = now.replace(tzinfo=now.tzinfo or UTC) if now else _time(redis)
        done = watch_pass(redis, watched, settings.watch, senders_of(settings.watch), at)
    show(done, namespace)
    return done


def show(done: PassDone, namespace: str) -> None:
    """Put the figures into the Prefect UI, and what has changed into the log."""
    for incident in done.changed:
        state = "over" if incident.ended else incident.level
        get_run_logger().warning("%s: %s (%s)", state, incident.says, incident.id)
    rows = [
        {"level": each.level, "rule": each.rule, "figure": each.says, "as of": each.as_of}
        for each in by_level(done.done.figures)
    ]
    create_table_artifact(
        rows, key=artifact_key(namespace, "watch"), description="Figures of the watch's last pass"
    )


def by_level(figures: tuple[Reading, ...]) -> list[Reading]:
    """Sort readings, the worst first."""
    order = ("critical", "warning", "unknown", "ok")
    return sorted(figures, key=lambda each: order.index(each.level))


def _connect(url: str) -> Redis:
    try:
        return connect(url, timeout_s=_REDIS_S)
    except ValueError as error:
        raise RedisUnavailable(f"REDIS_URL: {error}") from None


def _time(redis: Redis) -> datetime:
    """Return the time by Redis's clock, which the ages of generations go by; else by ours."""
    try:
        return server_time(redis)
    except (RedisError, OSError):
        return datetime.now(UTC)


def main(
    namespace: Annotated[str, typer.Option(help="Whose lists these are.")] = "shop",
    events_dir: Annotated[
        Path | None, typer.Option(help="Folder of date=YYYY-MM-DD/ partitions.")
    ] = None,
    run_root: Annotated[Path, typer.Option(help="Where the nights' folders are.")] = Path("runs"),
    config: Annotated[
        Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")
    ] = None,
    now: Annotated[
        datetime | None, typer.Option(help="Time of the pass (UTC); Redis's clock by default.")
    ] = None,
) -> None:
    """Judge the namespace's figures once, and send what is due.

    Example: python -m flows.watch --namespace shop --events-dir log/events --run-root runs

    Redis is REDIS_URL, settings are NIGHTSHELF_WATCH__<NAME> or the settings file.
    """
    with plain_errors("watch", OSError):
        done = watch(namespace, events_dir, run_root, config, now)
    console = Console(highlight=False)
    for each in by_level(done.done.figures):
        console.print(f"{each.level:9}{escape(each.says)}", soft_wrap=True)
    n_over = sum(each.ended is not None for each in done.changed)
    counts = f"new or worse {len(done.changed) - n_over}, over {n_over}"
    at = minute_text(done.done.at)
    console.print(f"pass of {at} UTC: {counts}, messages sent {done.n_sent}", soft_wrap=True)


if __name__ == "__main__":
    run_command(main)
