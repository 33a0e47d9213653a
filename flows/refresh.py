"""The refresh: lists of users who acted are made anew within minutes.

    step            what it does                                    what it leaves
    open_served     the live generation, a canary, their runs       (nothing)
    refresh_lists   for each: users in the queue, new, or left behind  (the refresh queue)
                    their whole history, the model folded to it,    (a scratch folder, gone after)
                    their lists and rows, as the night makes them
                    written into the generation, if it is still     lists and rows in Redis
                    the one that is served

It may die at any point and be started again at any time, beside itself and beside a night too: who
was not served stays queued (docs/decisions/0024-refresh.md).
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from prefect import flow, get_run_logger, runtime
from prefect.artifacts import create_table_artifact
from rich.console import Console
from rich.markup import escape

from flows import artifact_key, as_task, redis_failed
from flows._command import plain_errors, run_command
from nightshelf.admin import generations
from nightshelf.admin.namespace_state import server_time
from nightshelf.text import age_text
from tasks.io.memory import limit_memory
from tasks.publish.redis_client import connect
from tasks.refresh import refresh as refreshing
from tasks.refresh import served_generation
from tasks.refresh.refresh import Refreshed
from tasks.settings import load_settings

PATIENT: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [1, 5],
    "retry_condition_fn": redis_failed,
}

open_served = as_task(served_generation.open_served, **PATIENT)
refresh_lists = as_task(refreshing.refresh_lists, **PATIENT)


@flow(name="refresh", flow_run_name="{namespace}")
def refresh(
    events_dir: Path,
    namespace: str = "shop",
    run_root: Path = Path("runs"),
    config: Path | None = None,
) -> list[Refreshed]:
    """Bring the lists of users who acted, or are new, up to this moment.

    Args:
        events_dir: the collected event log, a folder of `date=YYYY-MM-DD/` partitions.
        namespace: whose lists these are: a tenant, a scene, a surface.
        run_root: where the nights' folders are.
        config: settings file; `nightshelf.toml` of the working directory where not given.

    """
    settings = load_settings(namespace, config)
    limit_memory(settings.machine)
    redis = connect(settings.redis_url.get_secret_value(), settings.publish)
    now = server_time(redis)
    if runtime.deployment.id and generations.current(redis, namespace) is None:
        # a person who asks is refused; a schedule goes on asking until there is something
        get_run_logger().info("nothing is live yet: there is nothing to refresh before a night")
        return []

    done = [
        refresh_lists(redis, generation, events_dir, settings.refresh, now)
        for generation in open_served(redis, namespace, run_root)
    ]
    show(done, namespace)
    return done


def show(done: list[Refreshed], namespace: str) -> None:
    """Put the summary into the Prefect UI, unless nothing was done."""
    if any(each.n_lists or each.n_queued for each in done):
        create_table_artifact(
            [asdict(each) for each in done],
            key=artifact_key(namespace, "refreshed"),
            description="Lists brought up to date since the night",
        )


def said(done: Refreshed) -> str:
    """Return a run's outcome for one generation as a line."""
    parts = [f"refreshed {done.n_lists:,}"]
    if done.n_lists:
        parts += [f"of them new {done.n_new:,}", f"longest wait {age_text(done.oldest_wait_s)}"]
    if done.n_queued:
        parts.append(f"still queued {done.n_queued:,}")
    if done.overtaken:
        parts.append("overtaken: readers went to another generation, where the next run goes on")
    return f"generation {done.generation}: {', '.join(parts)}"


def main(
    events_dir: Annotated[Path, typer.Option(help="Folder of date=YYYY-MM-DD/ partitions.")],
    namespace: Annotated[str, typer.Option(help="Whose lists these are.")] = "shop",
    run_root: Annotated[Path, typer.Option(help="Where the nights' folders are.")] = Path("runs"),
    config: Annotated[
        Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")
    ] = None,
) -> None:
    """Bring the lists of users who acted, or are new, up to this moment.

    Example: python -m flows.refresh --events-dir log/events --namespace shop --run-root runs

    Redis is REDIS_URL, settings are NIGHTSHELF_REFRESH__<NAME> or the settings file.
    """
    with plain_errors("refresh"):
        done = refresh(events_dir, namespace, run_root, config)
    for each in done:
        Console().print(escape(said(each)), soft_wrap=True)


if __name__ == "__main__":
    run_command(main)
