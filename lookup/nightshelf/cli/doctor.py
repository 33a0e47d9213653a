"""Command that checks a namespace and its server, for operators and monitoring.

Exit code 1 where any check fails, which is printed first. With ``--json``: ``healthy``, ``problem``
(the failures in one line, or null), ``namespace``, ``redis`` (host:port/db), ``outcome`` (the worst
of the findings: fail, warn, unknown, ok), ``findings`` of ``name``, ``outcome``, ``found`` (with
figures), ``remedy`` (empty where none is needed). Names and outcomes are stable, texts are not.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from nightshelf.cli.context import Context, command
from nightshelf.cli.options import MaxAge, RunRoot
from nightshelf.cli.tables.doctor import show_findings
from nightshelf.cli.tables.terminal import show_error
from nightshelf.doctor.examine import examine
from nightshelf.doctor.health import HOUR_S, doctor_problem

WORST_FIRST = ("fail", "warn", "unknown", "ok")

EveryH = Annotated[int, typer.Option("--every-h", min=1, help="Hours from one night to the next.")]

#: Remedies that a checkout adds to failed findings: by name, functions of the namespace and the
#: folder of runs (docs/decisions/0014-shelfops.md).
REMEDIES: dict[str, Callable[[str, Path], str | None]] = {}

app = typer.Typer()


@command(
    app, epilog="Examples: nightshelf doctor; nightshelf doctor -s homepage --every-h 6 --json"
)
def doctor(
    context: Context,
    every_h: EveryH = 24,
    max_age_h: MaxAge = None,
    run_root: RunRoot = Path("runs"),
) -> None:
    """Look at a namespace and its server: what is wrong, and what to do. Changes nothing."""
    namespace = context.namespace
    max_age_s = None if max_age_h is None else max_age_h * HOUR_S
    findings = examine(context.client, namespace, every_h * HOUR_S, max_age_s)
    for name, remedy in REMEDIES.items():
        if findings[name].outcome == "fail" and (text := remedy(namespace, run_root)):
            remedies = f"{text}; or {findings[name].remedy}"
            findings[name] = replace(findings[name], remedy=remedies)
    problem = doctor_problem(findings)
    outcome = min((found.outcome for found in findings.values()), key=WORST_FIRST.index)
    if context.as_json:
        rows = [{"name": name, **asdict(found)} for name, found in findings.items()]
        health = {"healthy": problem is None, "problem": problem}
        context.document(health, redis=context.address, outcome=outcome, findings=rows)
    else:
        if problem:
            show_error(problem)
        show_findings(findings, namespace, context.address)
    if problem:
        raise typer.Exit(1)
