"""Environment of the processes: nothing of the caller's Prefect, Redis or Nightshelf."""

import json
import os

from local_system.keys import ServiceKeys
from local_system.settings import NAMESPACE, UpSettings

#: Names the folder of the system that a process belongs to.
FOLDER = "LOCAL_SYSTEM_FOLDER"
_OURS = ("PREFECT_", "REDIS_", "NIGHTSHELF_")
#: Without its bytecode each process compiles all of Prefect anew: 10 s.
_SLOW = "PYTHONDONTWRITEBYTECODE"


def common_environment(up: UpSettings, redis_url: str) -> dict[str, str]:
    """Return the environment of all processes."""
    theirs = (each for each in os.environ.items() if not each[0].startswith(_OURS))
    inherited = {name: value for name, value in theirs if name != _SLOW}
    api = f"http://127.0.0.1:{up.ui_port}/api"
    return inherited | {
        FOLDER: str(up.folder),
        "PYTHONUNBUFFERED": "1",
        "REDIS_URL": redis_url,
        "PREFECT_HOME": str(up.folder / "prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_UI_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }


def worker_environment(up: UpSettings, keys: ServiceKeys) -> dict[str, str]:
    """Return the variables of flow runs: settings of the watch, and of days that are past."""
    service = f"http://127.0.0.1:{up.port}"
    watch = {
        "NIGHTSHELF_WATCH__SERVICES": json.dumps([service]),
        "NIGHTSHELF_WATCH__SERVICE_KEY": keys.admin,
        "NIGHTSHELF_WATCH__CONSOLE_URL": f"{service}/console",
    }
    return watch | ({"NIGHTSHELF_COLLECT__REPLAY": "true"} if up.days else {})


def service_environment(up: UpSettings, keys: ServiceKeys) -> dict[str, str]:
    """Return the variables of the HTTP service."""
    return {
        "NIGHTSHELF_NAMESPACE": NAMESPACE,
        "NIGHTSHELF_SERVICE_KEYS": keys.setting,
        "NIGHTSHELF_SERVICE_CONSOLE": "true",
        "NIGHTSHELF_SERVICE_CONSOLE_SECRET": keys.console_secret,
        "NIGHTSHELF_SERVICE_RUNS_DIR": str(up.runs),
        "NIGHTSHELF_SERVICE_EVENTS_DIR": str(up.events),
    }
