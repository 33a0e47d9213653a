"""The command that says what is wrong, and what to do: for people at night, and for monitoring.

Exit code 1 where any check fails. With ``--json``: ``namespace``, ``redis`` (host:port/db),
``outcome`` (the worst of the findings: fail, warn, unknown, ok), ``findings`` of ``name``,
``outcome``, ``found`` (what, with figures), ``remedy`` (empty where there is nothing to do). Names
and outcomes are stable; the words are not.
"""

from dataclasses import asdict
from typing import Annotated

import typer

from nightshelf.cli_desk import LOCAL, SHOP, Json, Namespace, RedisUrl, open_desk
from nightshelf.doctor import examine
from nightshelf.tables_doctor import show_findings

HOUR_S = 3600
WORST_FIRST = ("fail", "warn", "unknown", "ok")

EveryH = Annotated[int, typer.Option("--every-h", min=1, help="Hours from one night to the next.")]

app = typer.Typer()


@app.command(epilog="Examples: nightshelf doctor; nightshelf doctor -s homepage --every-h 6 --json")
def doctor(
    every_h: EveryH = 24,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Look at a namespace and its server: what is wrong, and what to do. Changes nothing."""
    with open_desk(namespace, redis_url, as_json) as desk:
        findings = examine(desk.client, namespace, every_h * HOUR_S)
        outcome = min((found.outcome for found in findings.values()), key=WORST_FIRST.index)
        if as_json:
            rows = [{"name": name, **asdict(found)} for name, found in findings.items()]
            desk.document(redis=desk.place, outcome=outcome, findings=rows)
        else:
            show_findings(findings, namespace, desk.place)
    if outcome == "fail":
        raise typer.Exit(1)
