"""The commands that change what is live or what is kept: each says first what it will do."""

from typing import Annotated

import typer

from nightshelf import operate, tables, upkeep
from nightshelf.cli_desk import LOCAL, SHOP, Desk, Json, Namespace, RedisUrl, open_desk
from nightshelf.errors import TransitionRefused
from nightshelf.world import Rule, World, change, look

Generation = Annotated[int, typer.Argument(metavar="GEN", help="Which generation.", min=1)]
OrLive = Annotated[
    int | None, typer.Argument(metavar="[GEN]", help="Which; else the live one.", min=1)
]
To = Annotated[int | None, typer.Option("--to", help="Which; else the newest older one.")]
MarkBad = Annotated[
    bool, typer.Option("--mark-bad", help="What is left behind shall never go live again.")
]
Force = Annotated[bool, typer.Option("--force", help="Even if it is held back for a reason.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]

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
        rule = operate.rolling_back(desk.client, namespace, to=to, mark_bad=mark_bad)
        _carry_out(desk, rule, yes=yes, dry_run=dry_run)


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
    """Make a staged generation live that a gate or a pin held back."""
    with open_desk(namespace, redis_url, as_json) as desk:
        rule = operate.promoting(desk.client, generation, force=force)
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
        _carry_out(desk, operate.pinning(desk.client, generation), yes=yes, dry_run=dry_run)


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
        _carry_out(desk, operate.unpinning, yes=yes, dry_run=dry_run)


@app.command(epilog="Examples: nightshelf extend; nightshelf extend 42 --dry-run")
def extend(
    generation: OrLive = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Give every key of a generation its full time to live again."""
    with open_desk(namespace, redis_url, as_json) as desk:
        manifest = upkeep.to_extend(look(desk.client, namespace), generation)
        n_keys = 0
        agreed = desk.agreed(tables.extend_words(namespace, manifest), yes=yes, dry_run=dry_run)
        if agreed:
            n_keys = upkeep.extend(desk.client, namespace, manifest.generation)
        if as_json:
            desk.document(generation=manifest.generation, keys=n_keys, dry_run=dry_run)
        elif agreed:
            total = sum(manifest.counts.values())
            tables.show_line(f"{namespace}: {n_keys:,} of {total:,} keys extended")


@app.command(epilog="Example: nightshelf retire 40")
def retire(
    generation: Generation,
    force: Force = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Delete a generation's keys: what is gone cannot be rolled back to."""
    with open_desk(namespace, redis_url, as_json) as desk:
        world = look(desk.client, namespace)
        upkeep.retiring(generation, force=force)(world)
        plan = tables.retire_words(namespace, world.find(generation))
        n_keys = 0
        agreed = desk.agreed(plan, yes=yes, dry_run=dry_run)
        if agreed:
            n_keys = upkeep.retire(desk.client, namespace, generation, force=force)
        if as_json:
            desk.document(generation=generation, keys=n_keys, dry_run=dry_run)
        elif agreed:
            tables.show_line(f"{namespace}: {n_keys:,} keys deleted")


def _carry_out(desk: Desk, rule: Rule, *, yes: bool, dry_run: bool) -> None:
    """Show what a rule makes of the world, ask, and do just that."""
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
        live = {"from": _number(before), "to": _number(after)}
        desk.document(**live, pinned=after.pinned, states=states, dry_run=dry_run)
    elif agreed:
        tables.show_line(tables.live_words(after))


def _number(world: World) -> int | None:
    return world.live.generation if world.live else None
