"""Nights that are skipped: a later one waits already, or has gone live."""

from datetime import UTC, datetime
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed

from flows._night_page import superseded_page
from nightshelf.contract.values import Manifest
from tasks.runs.run_folder import Run


def later_night_waits(namespace: str) -> bool:
    """Tell whether a later run of this deployment is due, for the same namespace.

    After a worker was away Prefect starts its late runs oldest first; only the newest is of use.
    """
    if not runtime.deployment.id:
        return False
    mine, now = runtime.flow_run.scheduled_start_time, datetime.now(UTC)
    waiting = FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
    later = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[UUID(runtime.deployment.id)]),
        state=FlowRunFilterState(type=waiting),
        expected_start_time=FlowRunFilterExpectedStartTime(after_=mine),
    )
    with get_client(sync_client=True) as api:
        runs = api.read_flow_runs(flow_run_filter=later)
    return any(
        run.expected_start_time is not None
        and mine < run.expected_start_time <= now
        and run.parameters.get("as_of") is None
        and run.parameters.get("namespace", namespace) == namespace
        for run in runs
    )


def waited_for(namespace: str) -> State[None]:
    """Return the state of a late night that a later one replaces."""
    says = "a later night of this deployment waits already and sees more: nothing was done"
    superseded_page(namespace, says)
    return Completed(name="Superseded", message=says)


def superseded(run: Run, newer: Manifest) -> State[None]:
    """Return the state of a night that would take readers back in time."""
    says = (
        f"generation {newer.generation} of {run.namespace}, as of {newer.as_of}, is live "
        f"and newer than {run.as_of.isoformat()}: nothing was published. To look at an older "
        "night, give it a namespace of its own."
    )
    superseded_page(run.namespace, says)
    return Completed(name="Superseded", message=says)
