"""The commands that look and change nothing: lists, and what is live."""

from dataclasses import asdict
from typing import Annotated

import typer

from nightshelf import tables
from nightshelf.cli_desk import LOCAL, SHOP, Json, Namespace, RedisUrl, open_desk
from nightshelf.generations import listing, pinned
from nightshelf.shelf import Shelf

User = Annotated[str, typer.Argument(metavar="USER", help="Whose list; anyone has one.")]
ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="Like which item.")]
Segment = Annotated[
    str, typer.Argument(metavar="SEGMENT", help="all, trending, new, category:NAME or segment:NAME")
]
N = Annotated[int, typer.Option("-n", min=1, help="How many items at most.")]

app = typer.Typer()


@app.command(epilog="Example: nightshelf get u42 -n 5")
def get(
    user: User,
    n: N = 10,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Show a user's list, and why each item is in it."""
    with open_desk(namespace, redis_url, as_json) as desk:
        shelf = desk.open()
        desk.show(shelf, user, "list", shelf.get(user, n))


@app.command(epilog="Example: nightshelf similar B2 --json")
def similar(
    item: ItemId,
    n: N = 10,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Show the items like one item."""
    with open_desk(namespace, redis_url, as_json) as desk:
        shelf = desk.open()
        desk.show(shelf, item, "similar", shelf.similar(item, n))


@app.command(epilog="Examples: nightshelf popular; nightshelf popular 'category:Toys & Games'")
def popular(
    segment: Segment = "all",
    n: N = 10,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Show the list of a segment: what strangers are given."""
    with open_desk(namespace, redis_url, as_json) as desk:
        shelf = desk.open()
        desk.show(shelf, segment, f"popular:{segment}", shelf.popular(segment, n))


@app.command(epilog="Example: nightshelf status -s homepage")
def status(namespace: Namespace = SHOP, redis_url: RedisUrl = LOCAL, as_json: Json = False) -> None:
    """Say what is live, since when, whether it is pinned, and what else Redis holds."""
    with open_desk(namespace, redis_url, as_json) as desk:
        found = Shelf(desk.client, namespace).status()
        if as_json:
            desk.document(redis=desk.place, **asdict(found))
        elif found.reachable:
            tables.show_status(found, namespace, desk.place)
        if found.error:
            tables.show_error(
                desk.unreadable(found.error) if found.reachable else desk.unusable(found.error)
            )
            raise typer.Exit(1)


@app.command(epilog="Example: nightshelf generations --json")
def generations(
    namespace: Namespace = SHOP, redis_url: RedisUrl = LOCAL, as_json: Json = False
) -> None:
    """List every generation that Redis remembers, newest first."""
    with open_desk(namespace, redis_url, as_json) as desk:
        known = listing(desk.client, namespace)
        held = pinned(desk.client, namespace)
        if as_json:
            desk.document(pinned=held, generations=[asdict(each) for each in known])
        else:
            tables.show_generations(known, namespace, held)
