"""Commands that remove at once: items from every list, a user from Redis."""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer
from redis import Redis
from redis.exceptions import RedisError

from nightshelf.admin import blocklist, erasure
from nightshelf.admin.generations import current
from nightshelf.admin.namespace_state import read_state
from nightshelf.cli.context import Context, command
from nightshelf.cli.options import checked_id
from nightshelf.cli.tables.takedown import (
    block_text,
    blocked_text,
    forget_text,
    show_forgotten,
    unblock_text,
)
from nightshelf.cli.tables.terminal import show_line
from nightshelf.contract.keys import Keys
from nightshelf.errors import CorruptValue

Items = Annotated[
    list[str], typer.Argument(metavar="ITEM...", parser=checked_id, help="Which items.")
]
User = Annotated[
    str, typer.Argument(metavar="USER", parser=checked_id, help="Who is to be forgotten.")
]

app = typer.Typer()


@command(app, changes=True, epilog="Example: nightshelf block B2 A7")
def block(context: Context, items: Items) -> None:
    """Take items off every list, fallback and page, within a second or two."""
    plan = block_text(context.namespace, items)
    if not context.as_json and (unknown := _unknown(context, items)):
        plan += f" (not in the live catalogue: {', '.join(unknown)})"
    _carry_out(context, blocklist.block, items, plan)


@command(app, changes=True, epilog="Example: nightshelf unblock B2 --yes")
def unblock(context: Context, items: Items) -> None:
    """Let blocked items be shown again."""
    _carry_out(context, blocklist.unblock, items, unblock_text(context.namespace, items))


# The audit would keep the id of whoever is forgotten.
@command(app, changes=True, audited=False, epilog="Example: nightshelf forget u42 --dry-run")
def forget(context: Context, user: User) -> None:
    """Delete all that Redis holds of a user, and prove it by reading back.

    The event log and the folders of runs are files, and not reached from here.
    """
    client, namespace, dry_run = context.client, context.namespace, context.dry_run
    found = erasure.traces(client, namespace, user)
    left = found
    if context.confirm(forget_text(namespace, user, found)):
        found, left = erasure.forget(client, namespace, user)
    staging = [each.generation for each in read_state(client, namespace).manifests if each.half]
    if context.as_json:
        context.document(
            user=user,
            keys=found.keys,
            entries=found.entries,
            queued=found.queued,
            left={"keys": left.keys, "entries": left.entries, "queued": left.queued},
            staging=staging,
            dry_run=dry_run,
        )
    else:
        show_forgotten(user, left, staging, dry_run=dry_run)
    if left and not dry_run:
        raise typer.Exit(1)


def _unknown(context: Context, items: list[str]) -> list[str]:
    """Return items without a row in the live generation: misspelt, or not there yet."""
    with suppress(CorruptValue, RedisError):  # an item is blocked whatever else is broken
        if live := current(context.client, context.namespace):
            keys = Keys(context.namespace)
            with context.client.pipeline(transaction=False) as pipe:
                for item in items:
                    pipe.exists(keys.item(live.generation, item))
                found = pipe.execute()
            return [item for item, there in zip(items, found, strict=True) if not there]
    return []


def _carry_out(
    context: Context, act: Callable[[Redis, str, list[str]], int], items: list[str], plan: str
) -> None:
    """Ask, change the blocklist, and show all blocked items."""
    blocked = blocklist.blocked(context.client, context.namespace)
    if context.confirm(plan):
        act(context.client, context.namespace, items)
        blocked = blocklist.blocked(context.client, context.namespace)
    if context.as_json:
        context.document(items=items, blocked=blocked, dry_run=context.dry_run)
    elif not context.dry_run:
        show_line(blocked_text(context.namespace, blocked))
