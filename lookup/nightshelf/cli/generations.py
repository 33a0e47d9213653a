"""Commands that change, keep or delete generations; each prints its plan first."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from redis import Redis

from nightshelf.admin import lifecycle, retention
from nightshelf.admin.canary import checked_share, releasing
from nightshelf.admin.namespace_state import NamespaceState, Rule, change, read_state
from nightshelf.admin.plans import (
    extend_text,
    forward_text,
    live_text,
    plan_text,
    retire_text,
)
from nightshelf.cli.context import Context, command
from nightshelf.cli.options import Force, Generation
from nightshelf.cli.tables.terminal import show_line
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
OrLive = Annotated[
    int | None, typer.Argument(metavar="[GEN]", help="Which; else the live one.", min=1)
]

app = typer.Typer()


@command(
    app,
    changes=True,
    epilog="Examples: nightshelf rollback --mark-bad; nightshelf rollback --to 41 --yes",
)
def rollback(context: Context, to: To = None, mark_bad: MarkBad = False) -> None:
    """Make an earlier generation live again, in one step for every reader; a pin moves along."""
    rule = lifecycle.rolling_back(context.client, context.namespace, to=to, mark_bad=mark_bad)
    _carry_out(context, rule, then=forward_text)


@command(app, changes=True, epilog="Example: nightshelf promote 43")
def promote(context: Context, generation: Generation, force: Force = False) -> None:
    """Make a generation live that a gate or a pin held back, or that a rollback has left."""
    _carry_out(context, lifecycle.promoting(context.client, generation, force=force))


@command(app, changes=True, epilog="Example: nightshelf pin 42")
def pin(context: Context, generation: Generation) -> None:
    """Hold a generation live, whatever the nights bring; one that is not live is gone back to."""
    _carry_out(context, lifecycle.pinning(context.client, generation))


@command(app, changes=True, epilog="Example: nightshelf unpin --yes")
def unpin(context: Context) -> None:
    """Let the next night go live again."""
    _carry_out(context, lifecycle.unpinning)


@command(
    app,
    changes=True,
    epilog="Examples: nightshelf canary 43 --share 5; then promote 43, or rollback",
)
def canary(context: Context, generation: Generation, share: Share) -> None:
    """Serve another generation to a share of the users; promote or rollback ends it."""
    _carry_out(context, releasing(context.client, generation, share))


@command(app, changes=True, epilog="Examples: nightshelf extend; nightshelf extend 42 --dry-run")
def extend(context: Context, generation: OrLive = None) -> None:
    """Give every key of a generation its full time to live again."""
    client, namespace = context.client, context.namespace
    manifest = retention.to_extend(read_state(client, namespace), generation)
    n_keys = 0
    if agreed := context.confirm(extend_text(namespace, manifest)):
        n_keys = retention.extend(client, namespace, manifest.generation)
    if context.as_json:
        context.document(generation=manifest.generation, keys=n_keys, dry_run=context.dry_run)
    elif agreed:
        total = sum(manifest.counts.values())
        show_line(f"{namespace}: {n_keys:,} of {total:,} keys extended")


@command(app, changes=True, epilog="Example: nightshelf retire 40")
def retire(context: Context, generation: Generation, force: Force = False) -> None:
    """Delete a generation's keys: what is gone cannot be rolled back to."""
    client, namespace = context.client, context.namespace
    before = _without_readers_of_before(client, namespace)
    retention.retiring(generation, force=force)(before)
    n_keys = 0
    if agreed := context.confirm(retire_text(namespace, before.find(generation))):
        n_keys = retention.retire(client, namespace, generation, force=force)
    if context.as_json:
        context.document(generation=generation, keys=n_keys, dry_run=context.dry_run)
    elif agreed:
        show_line(f"{namespace}: {n_keys:,} keys deleted")


def _without_readers_of_before(client: Redis, namespace: str) -> NamespaceState:
    """Return the state as soon as no reader can hold a pointer from before its last move."""
    state = read_state(client, namespace)
    if wait_s := retention.readers_leave_in_s(state):
        typer.echo(f"Waiting {wait_s} s: readers may still read what was live before", err=True)
        time.sleep(wait_s)
        state = read_state(client, namespace)
    return state


def _carry_out(
    context: Context,
    rule: Rule,
    *,
    then: Callable[[NamespaceState, NamespaceState], str] | None = None,
) -> None:
    """Show the change that a rule makes, ask, and make just that; `then` says what may follow."""
    before = read_state(context.client, context.namespace)
    after = rule(before)

    def as_shown(state: NamespaceState) -> NamespaceState:
        if state != before:
            raise TransitionRefused("contended", f"{context.namespace} moved meanwhile; look again")
        return rule(state)

    agreed = after == before or context.confirm(plan_text(before, after))
    if agreed and after != before:
        change(context.client, context.namespace, as_shown)
    if context.as_json:
        _print_change(context, before, after)
    elif agreed:
        show_line(live_text(after))
        if then and (text := then(before, after)):
            show_line(text)


def _print_change(context: Context, before: NamespaceState, after: NamespaceState) -> None:
    states = {
        new.generation: new.state
        for old, new in zip(before.manifests, after.manifests, strict=True)
        if new.state != old.state
    }
    live: dict[str, Any] = {"from": _number(before), "to": _number(after)}
    canary = asdict(after.canary) if after.canary else None
    dry_run = context.dry_run
    context.document(**live, pinned=after.pinned, canary=canary, states=states, dry_run=dry_run)


def _number(state: NamespaceState) -> int | None:
    return state.live.generation if state.live else None
