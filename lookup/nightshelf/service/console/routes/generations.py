"""Routes of generations: their history, one of them, two compared, changes, and the audit."""

from typing import Any

from fastapi import Request
from starlette.responses import Response

from nightshelf.admin import audit
from nightshelf.admin.namespace_state import read_state
from nightshelf.admin.retention import whole_until
from nightshelf.errors import TransitionRefused
from nightshelf.service.console import actions
from nightshelf.service.console.auditing import note
from nightshelf.service.console.comparison import compare
from nightshelf.service.console.history import FIGURES, history, points
from nightshelf.service.console.pages import ACTS, form_of, reading, render
from nightshelf.service.console.run_files import at, report_of
from nightshelf.service.console.state import console_of
from nightshelf.service.problems import Problem

#: Lines of the audit on its page.
_N_LINES = 500

router = reading()


@router.get("/generations")
def generations(request: Request) -> Response:
    """Show all generations, and the trend of each headline figure."""
    console = console_of(request)
    state = read_state(console.client, console.namespace)
    found = history(state, console.runs)
    trends = [(figure, points(found, figure[0])) for figure in FIGURES]
    return render(request, "generations.html", state=state, found=found, trends=trends)


@router.get("/generation")
def generation(request: Request, number: str = "") -> Response:
    """Show one generation: what it was made from, its gates and figures, and what may be done."""
    console = console_of(request)
    wanted = actions.whole_number(number, "number")
    state = read_state(console.client, console.namespace)
    found = {each.number: each for each in history(state, console.runs)}
    if wanted not in found:
        raise Problem(404, f"Neither Redis nor the folder of runs has generation {number[:20]}.")
    shown = found[wanted]
    report = report_of(console.runs, shown.number)
    older = max((each for each in found if each < shown.number), default=None)
    return render(
        request,
        "generation.html",
        shown=shown,
        state=state,
        older=older,
        until=whole_until(shown.manifest) if shown.manifest else None,
        gates=at(report, "gates") or (),
        blocked_by=at(report, "blocked_by") or (),
        prediction=at(report, "prediction", "sentence") or "",
        figures=FIGURES,
    )


@router.get("/diff")
def diff(request: Request, a: str = "", b: str = "") -> Response:
    """Compare two generations; without two it asks which."""
    console = console_of(request)
    state = read_state(console.client, console.namespace)
    one, other = actions.whole_number(a, "a"), actions.whole_number(b, "b")
    document, refused = None, ""
    if one and other:
        try:
            document = compare(console.client, console.namespace, one, other)
        except TransitionRefused as error:
            refused = str(error)
    facts: dict[str, Any] = {
        "state": state,
        "a": one,
        "b": other,
        "document": document,
        "refused": refused,
    }
    return render(request, "diff.html", **facts)


@router.get("/act", dependencies=ACTS)
def confirm(request: Request) -> Response:
    """Show what an action would do, and ask."""
    console = console_of(request)
    asked = actions.Asked.of(request.query_params)
    try:
        planned = actions.plan(console.client, console.namespace, asked)
    except TransitionRefused as error:
        return _refused(request, asked, error)
    return render(request, "act.html", asked=planned.asked, plan=planned, **_words(asked))


@router.post("/act", dependencies=ACTS)
def act(request: Request) -> Response:
    """Do what was confirmed, and write it to the audit."""
    console, form = console_of(request), form_of(request)
    asked = actions.Asked.of(form)
    planned = refused = None
    try:
        seen = form.get("fingerprint", "")
        planned, done = actions.carry_out(console.client, console.namespace, asked, seen)
        outcome = f"done: {planned.says or 'nothing to change'}; {done}"
    except TransitionRefused as error:
        refused, outcome = error, f"refused ({error.reason}): {error}"
    what = "" if asked.generation is None else f"generation {asked.generation}"
    unwritten = note(request, asked.action, what, outcome)
    if refused:
        return _refused(request, asked, refused)
    facts = {"plan": planned, "outcome": outcome, "unwritten": unwritten}
    return render(request, "done.html", **_words(asked) | facts)


@router.get("/audit")
def show_audit(request: Request) -> Response:
    """Show the newest lines of the audit."""
    console = console_of(request)
    found = audit.lines(console.client, console.namespace, _N_LINES)
    return render(request, "audit.html", lines=found, file=console.runs)


def _words(asked: actions.Asked) -> dict[str, Any]:
    return {"heading": actions.TITLES[asked.action], "dangerous": asked.action in actions.DANGEROUS}


def _refused(request: Request, asked: actions.Asked, error: TransitionRefused) -> Response:
    """Say why an action is refused; one that `force` passes can be asked for with it."""
    forced = asked.action == "promote" and error.reason in actions.FORCED and not asked.force
    facts = {"asked": asked, "refused": str(error), "reason": error.reason, "forced": forced}
    return render(request, "act_refused.html", status=409, **_words(asked) | facts)
