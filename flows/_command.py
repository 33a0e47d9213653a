"""The nightly command around its flow: the check before Prefect starts, and errors said once."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import typer
from redis import RedisError
from rich.console import Console
from rich.markup import escape

from nightshelf.errors import NightshelfError
from tasks.check import check
from tasks.errors import SettingsError
from tasks.publish.stage import connect, refuse_cluster
from tasks.settings import load_settings


def fail(said: str) -> NoReturn:
    """Say on stderr why there is no night, a line a finding, and end with exit code 1."""
    console = Console(stderr=True)
    for line in said.splitlines():
        text = f"[bold red]The night failed:[/] {escape(line)}"
        console.print(text, soft_wrap=True, highlight=False)  # a path stays whole
    raise typer.Exit(1) from None


def check_first(
    events: Path,
    items: Path,
    users: Path | None,
    namespace: str,
    as_of: datetime | None,
    config: Path | None,
) -> None:
    """End the command where inputs or settings let no night run; the night itself logs warnings."""
    with Console(stderr=True).status("checking inputs and settings ..."):
        checked = check(events, items, users, namespace, as_of, config)
    if checked.errors:
        fail("\n".join(checked.errors))
    settings = load_settings(namespace, config)
    with closing(connect(settings.redis_url.get_secret_value(), settings.publish)) as client:
        try:
            refuse_cluster(client)
        except SettingsError as error:
            fail(str(error))


class _SaidAtTheEnd(logging.Filter):
    """Drops what Prefect logs of an error that the command itself says at its end."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        retries = "Retry" in record.getMessage()
        known = isinstance(error, NightshelfError | RedisError)
        return retries or not (known or record.getMessage().startswith("Finished in state Failed"))


@contextmanager
def errors_once() -> Iterator[None]:
    """Keep known errors out of Prefect's log while the block runs."""
    said = _SaidAtTheEnd()
    loggers = [logging.getLogger(f"prefect.{name}") for name in ("task_runs", "flow_runs")]
    for logger in loggers:
        logger.filters.insert(0, said)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(said)
