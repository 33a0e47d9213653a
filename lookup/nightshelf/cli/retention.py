"""The commands that keep generations longer or clear them: each says first what it will do."""

from typing import Annotated

import typer

from nightshelf.admin import retention as upkeep
from nightshelf.admin.namespace_state import look
from nightshelf.cli.context import (
    LOCAL,
    SHOP,
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

OrLive = Annotated[
    int | None, typer.Argument(metavar="[GEN]", help="Which; else the live one.", min=1)
]

app = typer.Typer()


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
