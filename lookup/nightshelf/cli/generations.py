"""The commands that change what is live: each says first what it will do."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from nightshelf.admin import lifecycle
from nightshelf.admin.canary import checked_share, releasing
from nightshelf.admin.namespace_state import Rule, World, change, look
from nightshelf.cli.context import (
    LOCAL,
    SHOP,
    Desk,
    DryRun,
    Force,
    Generation,
    Json,
    Namespace,
    RedisUrl,
    Yes,
    open_desk,
)
from nightshelf.cli.tables import common as tables
from nightshelf.errors import TransitionRefused


def _share(percent: float) -> float:
    try:
        return checked_share(percent)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


To = Annotated[int | None, typer.Option("--to", help="Which; else the newest older one.")]
MarkBad = Annotated[
    bool, typer.Option("--mark-bad", help="What is left behind shall never go live again.")
]
Share = Annotated[float, typer.Option("--share", callback=_share, help="Percent of the users.")]

app = typer.Typer()


@app.command(epilog="Examples: nightshelf rollback --mark-bad; nightshelf rollback --to 41 --yes")
def rollback(
    to: To = None,
    mark_bad: MarkBad = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Make an earlier generation live again, in one step for every reader; a pin moves along."""
    with open_desk(namespace, redis_url, as_json) as desk:
        rule = lifecycle.rolling_back(desk.client, namespace, to=to, mark_bad=mark_bad)
        _carry_out(desk, rule, yes=yes, dry_run=dry_run, then=tables.forward_words)


@app.command(epilog="Example: nightshelf promote 43")
def promote(
    generation: Generation,
    force: Force = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Make a generation live that a gate or a pin held back, or that a rollback has left."""
    with open_desk(namespace, redis_url, as_json) as desk:
        rule = lifecycle.promoting(desk.client, generation, force=force)
        _carry_out(desk, rule, yes=yes, dry_run=dry_run)


@app.command(epilog="Example: nightshelf pin 42")
def pin(
    generation: Generation,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Hold a generation live, whatever the nights bring; one that is not live is gone back to."""
    with open_desk(namespace, redis_url, as_json) as desk:
        _carry_out(desk, lifecycle.pinning(desk.client, generation), yes=yes, dry_run=dry_run)


@app.command(epilog="Example: nightshelf unpin --yes")
def unpin(
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Let the next night go live again."""
    with open_desk(namespace, redis_url, as_json) as desk:
        _carry_out(desk, lifecycle.unpinning, yes=yes, dry_run=dry_run)


@app.command(epilog="Examples: nightshelf canary 43 --share 5; then promote 43, or rollback")
def canary(
    generation: Generation,
    share: Share,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Serve another generation to a share of the users; promote or rollback ends it."""
    with open_desk(namespace, redis_url, as_json) as desk:
        _carry_out(desk, releasing(desk.client, generation, share), yes=yes, dry_run=dry_run)


def _carry_out(
    desk: Desk,
    rule: Rule,
    *,
    yes: bool,
    dry_run: bool,
    then: Callable[[World, World], str] | None = None,
) -> None:
    """Show what a rule makes of the world, ask, and do just that; `then` says what may follow."""
    before = look(desk.client, desk.namespace)
    after = rule(before)

    def as_shown(world: World) -> World:
        if world != before:
            raise TransitionRefused("contended", f"{desk.namespace} moved meanwhile; look again")
        return rule(world)

    plan = tables.plan_words(before, after)
    agreed = after == before or desk.agreed(plan, yes=yes, dry_run=dry_run)
    if agreed and after != before:
        change(desk.client, desk.namespace, as_shown)
    if desk.as_json:
        states = {
            new.generation: new.state
            for old, new in zip(before.manifests, after.manifests, strict=True)
            if new.state != old.state
        }
        live: dict[str, Any] = {"from": _number(before), "to": _number(after)}
        canary = asdict(after.canary) if after.canary else None
        desk.document(**live, pinned=after.pinned, canary=canary, states=states, dry_run=dry_run)
    elif agreed:
        tables.show_line(tables.live_words(after))
        if then and (words := then(before, after)):
            tables.show_line(words)


def _number(world: World) -> int | None:
    return world.live.generation if world.live else None
