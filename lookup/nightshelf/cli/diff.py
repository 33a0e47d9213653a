"""The command that says how lists moved between two generations: before a promote or a rollback.

With ``--json`` one document, whose fields stand in `nightshelf.diff.document`.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from redis import Redis
from rich.console import Console
from rich.progress import Progress as Bar

from nightshelf.admin.namespace_state import look
from nightshelf.cli.context import LOCAL, SHOP, Json, Namespace, RedisUrl, open_desk
from nightshelf.cli.tables.diff import show_diff
from nightshelf.contract.values import Manifest
from nightshelf.diff.compare import Comparison
from nightshelf.diff.document import Shown, figures, manifest_fields
from nightshelf.diff.read import Progress, find_users, read_pairs, read_titles, sampled, standing

#: Who waits longer than this is shown how far it is.
PATIENCE_S = 2.0

Before = Annotated[int, typer.Argument(metavar="A", help="The generation before.", min=1)]
After = Annotated[int, typer.Argument(metavar="B", help="The generation after.", min=1)]
Top = Annotated[int, typer.Option("--top", help="How many items in each table.", min=1)]
Users = Annotated[int, typer.Option("--users", help="How many users side by side.", min=0)]
Sample = Annotated[
    int | None, typer.Option("--sample", help="How many users to read; else all.", min=1)
]

app = typer.Typer()


@app.command(epilog="Examples: nightshelf diff 42 43; nightshelf diff 42 43 --sample 5000 --json")
def diff(
    a: Before,
    b: After,
    top: Top = 10,
    users: Users = 3,
    sample: Sample = None,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Compare the lists of two generations: whose moved, which items came and went."""
    with open_desk(namespace, redis_url, as_json) as desk:
        document = _compared(desk.client, namespace, a, b, top=top, n_changed=users, sample=sample)
        if as_json:
            desk.document(**document)
        else:
            show_diff(document)


def _compared(
    client: Redis, namespace: str, a: int, b: int, *, top: int, n_changed: int, sample: int | None
) -> dict[str, Any]:
    """Read and compare; what is cleared meanwhile is refused too, and not taken for a change."""
    before, after = _standing(client, namespace, a, b)
    comparison = Comparison(n_changed)
    with _telling() as tell:
        found = find_users(client, namespace, before, after, tell)
        users = found if sample is None else sampled(found, sample)
        n_read = 0
        for pairs in read_pairs(client, namespace, before, after, users):
            comparison.add(pairs)
            n_read += len(pairs)
            tell("comparing users", n_read, len(users))
    shown = Shown(comparison, top)
    titles = read_titles(client, namespace, before, after, shown.items())
    _standing(client, namespace, a, b)
    return {
        **manifest_fields(before, after),
        "users_found": len(found),
        "users_read": len(users),
        **figures(comparison),
        **shown.fields(titles),
    }


def _standing(client: Redis, namespace: str, a: int, b: int) -> tuple[Manifest, Manifest]:
    world = look(client, namespace)
    return standing(client, world, a), standing(client, world, b)


@contextmanager
def _telling() -> Iterator[Progress]:
    """Show a bar on stderr to who waits at a terminal; nothing is left of it at the end."""
    began = time.monotonic()
    bar = Bar(console=Console(stderr=True), transient=True)
    task = bar.add_task("")

    def tell(what: str, done: int, total: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - began > PATIENCE_S:
            bar.start()
            bar.update(task, description=what, completed=done, total=total)

    try:
        yield tell
    finally:
        if bar.live.is_started:
            bar.stop()
