"""The commands that take something out at once: an item off every path, a user out of Redis."""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer
from redis import Redis
from redis.exceptions import RedisError

from nightshelf.admin import blocklist, erasure
from nightshelf.admin.generations import current
from nightshelf.admin.namespace_state import look
from nightshelf.cli.context import (
    LOCAL,
    SHOP,
    Desk,
    DryRun,
    Json,
    Namespace,
    RedisUrl,
    Yes,
    checked_id,
    open_desk,
)
from nightshelf.cli.tables import common as tables
from nightshelf.cli.tables import takedown as tables_withdraw
from nightshelf.contract.keys import Keys
from nightshelf.errors import CorruptValue

Items = Annotated[
    list[str], typer.Argument(metavar="ITEM...", parser=checked_id, help="Which items.")
]
User = Annotated[
    str, typer.Argument(metavar="USER", parser=checked_id, help="Who is to be forgotten.")
]
Act = Callable[[Redis, str, list[str]], int]

app = typer.Typer()


@app.command(epilog="Example: nightshelf block B2 A7")
def block(
    items: Items,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Take items off every list, fallback and page, within a second or two."""
    with open_desk(namespace, redis_url, as_json) as desk:
        plan = tables_withdraw.block_words(namespace, items)
        if not as_json and (unknown := _unknown(desk, items)):
            plan += f" (not in the live catalogue: {', '.join(unknown)})"
        _carry_out(desk, blocklist.block, items, plan, yes=yes, dry_run=dry_run)


@app.command(epilog="Example: nightshelf unblock B2 --yes")
def unblock(
    items: Items,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Let blocked items be shown again."""
    with open_desk(namespace, redis_url, as_json) as desk:
        plan = tables_withdraw.unblock_words(namespace, items)
        _carry_out(desk, blocklist.unblock, items, plan, yes=yes, dry_run=dry_run)


@app.command(epilog="Example: nightshelf forget u42 --dry-run")
def forget(
    user: User,
    yes: Yes = False,
    dry_run: DryRun = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Delete all that Redis holds of a user, and prove it by reading back.

    The event log and the folders of runs are files, and not reached from here.
    """
    with open_desk(namespace, redis_url, as_json) as desk:
        found = erasure.traces(desk.client, namespace, user)
        left = found
        plan = tables_withdraw.forget_words(namespace, user, found)
        if desk.agreed(plan, yes=yes, dry_run=dry_run):
            found, left = erasure.forget(desk.client, namespace, user)
        staging = [each.generation for each in look(desk.client, namespace).manifests if each.half]
        if as_json:
            kept = {"keys": left.keys, "entries": left.entries, "waiting": left.waiting}
            desk.document(
                user=user,
                keys=found.keys,
                entries=found.entries,
                waiting=found.waiting,
                left=kept,
                staging=staging,
                dry_run=dry_run,
            )
        else:
            tables_withdraw.show_forgotten(user, left, staging, dry_run=dry_run)
        if left and not dry_run:
            raise typer.Exit(1)


def _unknown(desk: Desk, items: list[str]) -> list[str]:
    """Return items of which the live generation has no row: misspelt, or not there yet."""
    with suppress(CorruptValue, RedisError):  # an item is blocked whatever else is broken
        if live := current(desk.client, desk.namespace):
            keys = Keys(desk.namespace)
            with desk.client.pipeline(transaction=False) as pipe:
                for item in items:
                    pipe.exists(keys.item(live.generation, item))
                found = pipe.execute()
            return [item for item, there in zip(items, found, strict=True) if not there]
    return []


def _carry_out(
    desk: Desk, act: Act, items: list[str], plan: str, *, yes: bool, dry_run: bool
) -> None:
    """Say what will be done, ask, do it, and show all that is blocked then."""
    blocked = blocklist.blocked(desk.client, desk.namespace)
    if desk.agreed(plan, yes=yes, dry_run=dry_run):
        act(desk.client, desk.namespace, items)
        blocked = blocklist.blocked(desk.client, desk.namespace)
    if desk.as_json:
        desk.document(items=items, blocked=blocked, dry_run=dry_run)
    elif not dry_run:
        tables.show_line(tables_withdraw.blocked_words(desk.namespace, blocked))
