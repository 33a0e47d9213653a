"""A night that a newer one overtakes while it builds its features, for `test_superseded.py`.

`python -m tests.e2e.overtaken_night EVENTS ITEMS NAMESPACE AS_OF ROOT` prints its state's name.
"""

import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

from flows import _steps as steps
from flows import nightly as night
from tasks.artifacts.records import Provenance
from tasks.features.build import build_features
from tasks.publish.go_live import flip
from tasks.publish.redis_client import connect
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, stage
from tasks.runs.run_folder import Run
from tests.tasks.small_models import make_shelves


def overtaken(task: Callable[..., Any]) -> Callable[..., Any]:
    """Let a newer night go live while a task runs."""

    @wraps(task)
    def slow(run: Run, *args: Any, **kwargs: Any) -> Any:
        settings = PublishSettings()
        client = connect(os.environ["REDIS_URL"], settings)
        newer = open_run(client, run.namespace, run.as_of + timedelta(days=1), run.root)
        stage(newer, client, make_shelves(newer), settings, Provenance(10, ""))
        flip(newer, client)
        return task(run, *args, **kwargs)

    return slow


def main(events: str, items: str, namespace: str, as_of: str, root: str) -> None:
    """Run the night."""
    steps.PIPELINE[build_features] = overtaken(steps.PIPELINE[build_features])
    state = night.nightly(
        Path(events), Path(items), None, namespace, datetime.fromisoformat(as_of), Path(root),
        return_state=True,
    )  # fmt: skip
    print(state.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
