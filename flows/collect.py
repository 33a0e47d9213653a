"""Tracked events into the event log, every minute.

    step            what it does                                     what it leaves
    collect_events  from the stream into files, then acknowledged    <events_dir>/date=.../tracked-*
                    what is no event, apart with its reason          <events_dir>-quarantine/
    compact_files   small files merged, and deleted an hour later    <events_dir>/date=.../merged-*

It may die at any point and be started again at any time, beside itself too: nothing is lost, and
what is there twice counts once, by its `event_id` (docs/decisions/0023-collect.md).
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from rich.console import Console
from rich.markup import escape

from flows import artifact_key, as_task, redis_failed
from flows._command import plain_errors, run_command
from tasks.collector import collect as collecting
from tasks.collector import compact as compacting
from tasks.collector.collect import Collected
from tasks.collector.compact import Compacted
from tasks.errors import EventsLost
from tasks.features.serving_rules import counting_of
from tasks.publish.redis_client import connect
from tasks.settings import load_settings

collect_events = as_task(
    collecting.collect, retries=2, retry_delay_seconds=[1, 5], retry_condition_fn=redis_failed
)
compact_files = as_task(compacting.compact)


_MENDED = (
    "an entry had an id far in the future, so that the next could not be added: find which login "
    "wrote it (deploy/users.acl), and change its password"
)
#: What should not be, and is said as a warning.
_WARNED = (
    *("of unknown type", "no event", "lost"),
    *("stream gone", "ids set back", "dates not compacted"),
)


@dataclass(frozen=True)
class Line:
    """A line of the summary."""

    what: str
    n: int
    remark: str

    def __str__(self) -> str:
        return f"{self.what}: {self.n:,} ({self.remark})"


@flow(name="collect", flow_run_name="{namespace}")
def collect(events_dir: Path, namespace: str = "shop", config: Path | None = None) -> list[Line]:
    """Move tracked events into the event log.

    Args:
        events_dir: folder of `date=YYYY-MM-DD/` partitions, made where it is not there.
        namespace: whose events these are: a tenant, a scene, a surface.
        config: settings file; `nightshelf.toml` of the working directory where not given.

    """
    settings = load_settings(namespace, config)
    redis = connect(settings.redis_url.get_secret_value(), settings.publish)

    counting = counting_of(settings.events, settings.features)
    collected = collect_events(redis, namespace, events_dir, settings.collect, counting)
    compacted = compact_files(events_dir, settings.compact, now=datetime.now(UTC))

    lines = summary(collected, compacted)
    show(lines, namespace)
    if collected.restarted:
        raise EventsLost(
            f"The stream of tracked events of {namespace} was gone and begins anew: what had been "
            f"told and not collected is lost ({collected.n_lost:,} of it counted). Was it deleted, "
            f"or did Redis come back empty? The log and {collected.n_events:,} new events are safe."
        )
    if collected.n_lost:
        raise EventsLost(
            f"{collected.n_lost:,} events of {namespace} left Redis before they were collected; "
            f"the {collected.n_events:,} that were there are safe. Give apps a login that may XLEN "
            "(the service of deploy/users.acl), or collect more often."
        )
    return lines


def summary(collected: Collected, compacted: Compacted) -> list[Line]:
    """Return the counts of a run that are not 0, a line each."""
    reasons = ", ".join(f"{reason}: {count}" for reason, count in collected.malformed.items())
    unknown = ", ".join(f"{name}: {count}" for name, count in collected.unknown.items())
    broken = "; ".join(f"{folder}: {reason}" for folder, reason in compacted.broken.items())
    lines = (
        Line("events collected", collected.n_events, f"files: {collected.n_files}"),
        Line("entries claimed", collected.n_claimed, "left by a collector that died"),
        Line("of unknown type", collected.n_unknown, f"{unknown}; in no setting under [features]"),
        Line("no event", collected.n_malformed, f"{reasons}; see {collected.quarantine}"),
        Line("lost", collected.n_lost, "dropped from Redis before they were collected"),
        Line("stream gone", collected.restarted, "deleted, or Redis came back empty; begun anew"),
        Line("ids set back", collected.mended, _MENDED),
        Line("gone", collected.n_unsure, "erased, or written by a collector that died"),
        Line("trimmed from the stream", collected.n_trimmed, "safe in files"),
        Line("files merged", compacted.n_merged, f"{compacted.n_doubles} doubles left out"),
        Line("files deleted", compacted.n_deleted, "merged before, or never finished"),
        Line("dates not compacted", len(compacted.broken), broken),
    )
    return [line for line in lines if line.n]


def show(lines: list[Line], namespace: str) -> None:
    """Put the summary into the Prefect UI, and its warnings into the log."""
    for line in lines:
        if line.what in _WARNED:
            get_run_logger().warning("%s", line)
    if lines:
        create_table_artifact(
            [asdict(line) for line in lines],
            key=artifact_key(namespace, "collected"),
            description="Tracked events, collected into the log",
        )


def main(
    events_dir: Annotated[Path, typer.Option(help="Folder of date=YYYY-MM-DD/ partitions.")],
    namespace: Annotated[str, typer.Option(help="Whose events these are.")] = "shop",
    config: Annotated[
        Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")
    ] = None,
) -> None:
    """Move tracked events into the event log.

    Example: python -m flows.collect --events-dir log/events --namespace shop

    Redis is REDIS_URL, settings are NIGHTSHELF_COLLECT__<NAME>, NIGHTSHELF_COMPACT__<NAME> or
    the settings file.
    """
    with plain_errors("collection", OSError):
        lines = collect(events_dir, namespace, config)
    for line in lines or [Line("events collected", 0, "there was nothing new")]:
        Console().print(escape(str(line)), soft_wrap=True)


if __name__ == "__main__":
    run_command(main)
