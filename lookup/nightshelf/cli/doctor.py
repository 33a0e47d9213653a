"""The command that says what is wrong, and what to do: for people at night, and for monitoring.

Exit code 1 where any check fails, which is said first. With ``--json``: ``healthy``, ``problem``
(what fails, in one line, or null), ``namespace``, ``redis`` (host:port/db),
``outcome`` (the worst of the findings: fail, warn, unknown, ok), ``findings`` of ``name``,
``outcome``, ``found`` (what, with figures), ``remedy`` (empty where there is nothing to do). Names
and outcomes are stable; the words are not.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from nightshelf.cli.context import (
    LOCAL,
    SHOP,
    Json,
    MaxAge,
    Namespace,
    RedisUrl,
    RunRoot,
    open_desk,
)
from nightshelf.cli.tables import common as tables
from nightshelf.cli.tables.doctor import show_findings
from nightshelf.doctor.examine import examine
from nightshelf.doctor.health import HOUR_S, doctor_problem

WORST_FIRST = ("fail", "warn", "unknown", "ok")

EveryH = Annotated[int, typer.Option("--every-h", min=1, help="Hours from one night to the next.")]

#: What a checkout adds to the remedy of a finding that fails: by the finding's name, a function of
#: the namespace and the folder of runs (docs/decisions/0014-shelfops.md).
REMEDIES: dict[str, Callable[[str, Path], str | None]] = {}

app = typer.Typer()


@app.command(epilog="Examples: nightshelf doctor; nightshelf doctor -s homepage --every-h 6 --json")
def doctor(
    every_h: EveryH = 24,
    max_age_h: MaxAge = None,
    run_root: RunRoot = Path("runs"),
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Look at a namespace and its server: what is wrong, and what to do. Changes nothing."""
    with open_desk(namespace, redis_url, as_json) as desk:
        max_age_s = None if max_age_h is None else max_age_h * HOUR_S
        findings = examine(desk.client, namespace, every_h * HOUR_S, max_age_s)
        for name, remedy in REMEDIES.items():
            if findings[name].outcome == "fail" and (words := remedy(namespace, run_root)):
                remedies = f"{words}; or {findings[name].remedy}"
                findings[name] = replace(findings[name], remedy=remedies)
        problem = doctor_problem(findings)
        outcome = min((found.outcome for found in findings.values()), key=WORST_FIRST.index)
        if as_json:
            rows = [{"name": name, **asdict(found)} for name, found in findings.items()]
            health = {"healthy": problem is None, "problem": problem}
            desk.document(health, redis=desk.place, outcome=outcome, findings=rows)
        else:
            if problem:
                tables.show_error(problem)
            show_findings(findings, namespace, desk.place)
    if problem:
        raise typer.Exit(1)
