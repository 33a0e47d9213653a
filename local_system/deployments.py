"""Deployments of the local system, and runs of them, by Prefect's client."""

import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, cast
from urllib.error import URLError
from urllib.request import urlopen
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.states import Crashed

from local_system.configs import prefect_file
from local_system.settings import UpSettings

POOL = "nightshelf"
_WORKERS: Final = "/work_pools/{work_pool_name}/workers/filter"
_OF_POOL = {"work_pool_name": POOL}
#: Longest wait for the server, and for a run.
_START_S, _RUN_S = 180.0, 1800.0
_POLL_S = 0.5


class RunFailed(Exception):  # noqa: N818
    """A flow run that did not complete, or did not end at all."""


def wait_for_server(url: str) -> None:
    """Wait until Prefect's server answers; `RunFailed` after three minutes."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        try:
            with urlopen(f"{url}/health", timeout=2):  # noqa: S310 - of our own
                return
        except (URLError, OSError):
            time.sleep(_POLL_S)
    raise RunFailed(f"Prefect's server at {url} does not answer; see its log")


def deploy(up: UpSettings) -> None:
    """Make the work pool and all deployments, and end runs that an earlier system left."""
    with get_client(sync_client=True) as client:
        _crash_left_runs(client)
    _prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
    _prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(prefect_file(up)))


def wait_for_worker(up: UpSettings) -> None:
    """Wait until this start's worker has deployed and polls; `RunFailed` after three minutes.

    The server may still know the worker of an earlier start.
    """
    until = time.monotonic() + _START_S
    with get_client(sync_client=True) as client:
        while time.monotonic() < until:
            if up.worker_name.exists():
                found = client.request("POST", _WORKERS, path_params=_OF_POOL, json={}).json()
                name = up.worker_name.read_text()
                if any(w["name"] == name and w["status"] == "ONLINE" for w in found):
                    return
            time.sleep(_POLL_S)
    raise RunFailed("no worker polls for runs; see the worker's log")


def start(name: str, **parameters: Any) -> UUID:
    """Start a run of a deployment; `parameters` go before those of the deployment."""
    run = run_deployment(f"{name}/{name}", parameters=parameters, timeout=0, as_subflow=False)
    return cast("FlowRun", run).id  # a coroutine only where an event loop runs


def ended(runs: Mapping[str, UUID]) -> dict[str, FlowRun]:
    """Wait until runs have ended, and return them."""
    until = time.monotonic() + _RUN_S
    with get_client(sync_client=True) as client:
        while time.monotonic() < until:
            found = {name: client.read_flow_run(run) for name, run in runs.items()}
            if all(run.state and run.state.is_final() for run in found.values()):
                return found
            time.sleep(_POLL_S)
    raise RunFailed(f"no end of {', '.join(runs)} within {timedelta(seconds=_RUN_S)}")


def run(name: str, **parameters: Any) -> None:
    """Run a deployment to its end; `RunFailed` with its message where it does not complete."""
    run_all({name: parameters})


def run_all(asked: Mapping[str, Mapping[str, Any]]) -> None:
    """Run deployments beside one another; `RunFailed` for the first that does not complete."""
    runs = {name: start(name, **parameters) for name, parameters in asked.items()}
    for name, each in ended(runs).items():
        if not each.state or not each.state.is_completed():
            raise RunFailed(f"{name}: {each.state.message if each.state else 'no state'}")


def schedule_all() -> None:
    """Let the schedules of all deployments run."""
    with get_client(sync_client=True) as client:
        for each in client.read_deployments():
            for schedule in each.schedules:
                client.update_deployment_schedule(each.id, schedule.id, active=True)


def _crash_left_runs(client: SyncPrefectClient) -> None:
    """End the runs that a system left when it was killed: they hold their deployment's place."""
    kinds = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    left = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=kinds)))
    for each in client.read_flow_runs(flow_run_filter=left):
        client.set_flow_run_state(each.id, Crashed(message="the system ended"), force=True)


def _prefect(*arguments: str) -> None:
    """Run a command of Prefect; its output goes to the log of the process."""
    subprocess.run([sys.executable, "-m", "prefect", *arguments], check=True)  # noqa: S603
