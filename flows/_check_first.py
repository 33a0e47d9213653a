"""Check inputs and settings before Prefect starts."""

from contextlib import closing
from datetime import datetime
from pathlib import Path

from rich.console import Console

from flows._command import fail
from tasks.check import check
from tasks.errors import SettingsError
from tasks.publish.redis_client import connect, refuse_cluster
from tasks.settings import load_settings


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
        fail("night", "\n".join(checked.errors))
    settings = load_settings(namespace, config)
    with closing(connect(settings.redis_url.get_secret_value(), settings.publish)) as client:
        try:
            refuse_cluster(client)
        except SettingsError as error:
            fail("night", str(error))
