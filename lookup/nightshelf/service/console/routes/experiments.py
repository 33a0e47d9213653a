"""Routes of the experiments: what runs, what was read out, and the stop of one."""

from fastapi import Request
from starlette.responses import Response

from nightshelf.admin.experiments import published, stop
from nightshelf.admin.namespace_state import read_state
from nightshelf.errors import TransitionRefused
from nightshelf.service.console.auditing import note
from nightshelf.service.console.experiment_facts import read_experiments
from nightshelf.service.console.pages import ACTS, reading, render
from nightshelf.service.console.state import console_of

router = reading()


@router.get("/experiments")
def experiments(request: Request) -> Response:
    """Show the published experiments with their newest readouts."""
    console = console_of(request)
    state = read_state(console.client, console.namespace)
    live = state.live.experiments if state.live else ()
    found = read_experiments(live, console.runs, state.now)
    return render(request, "experiments.html", live=state.live, found=found, now=state.now)


@router.get("/experiment-stop", dependencies=ACTS)
def ask_stop(request: Request, id: str) -> Response:
    """Ask whether to stop an experiment."""
    console = console_of(request)
    found = published(read_state(console.client, console.namespace), id)
    return render(request, "experiment_stop.html", experiment=found, outcome="", unwritten=())


@router.post("/experiment-stop", dependencies=ACTS)
def stop_experiment(request: Request, id: str) -> Response:
    """Stop an experiment for every reader, and write it to the audit."""
    console = console_of(request)
    refused = found = None
    try:
        found = stop(console.client, console.namespace, id)
        outcome = f"done: phase {found.phase} is stopped"
    except TransitionRefused as error:
        refused, outcome = error, f"refused ({error.reason}): {error}"
    unwritten = note(request, "stop", f"experiment {id}", outcome)
    if refused:
        raise refused
    return render(
        request,
        "experiment_stop.html",
        experiment=found,
        outcome=outcome,
        unwritten=unwritten,
    )
