"""The commands that look and change nothing: lists, and what is live."""

from dataclasses import asdict
from typing import Annotated

import typer

from nightshelf.admin.generations import listing, pinned
from nightshelf.cli.context import (
    LOCAL,
    SHOP,
    Desk,
    Json,
    MaxAge,
    Namespace,
    RedisUrl,
    checked_id,
    open_desk,
)
from nightshelf.cli.tables import common as tables
from nightshelf.client.results import Status
from nightshelf.client.shelf import Shelf
from nightshelf.contract.keys import encode_segment
from nightshelf.doctor.health import MAX_AGE_H, stale
from nightshelf.errors import InvalidKey, NotFound


def _segment(raw: str) -> str:
    try:
        encode_segment(raw)
    except InvalidKey as error:
        raise typer.BadParameter(str(error)) from None
    return raw


User = Annotated[
    str, typer.Argument(metavar="USER", parser=checked_id, help="Whose list; anyone has one.")
]
ItemId = Annotated[str, typer.Argument(metavar="ITEM", parser=checked_id, help="Like which item.")]
Segment = Annotated[
    str,
    typer.Argument(
        metavar="SEGMENT", parser=_segment, help="all, trending, new, category:NAME or segment:NAME"
    ),
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
        found = shelf.similar(item, n)
        if found.source != "similar" and not shelf.item_features([item]):
            raise NotFound(
                f"no item {item!r} in generation {found.generation} of {namespace}; "
                "readers who ask for it are given what is popular"
            )
        desk.show(shelf, item, "similar", found)


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
        found = shelf.popular(segment, n)
        if found.source != f"popular:{segment}":
            raise NotFound(
                f"no list of {segment!r} in generation {found.generation} of {namespace}; "
                "readers who ask for it are given what is popular with everyone"
            )
        desk.show(shelf, segment, found.source, found)


@app.command(epilog="Examples: nightshelf status; nightshelf status -s homepage --max-age-h 8")
def status(
    max_age_h: MaxAge = None,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Say what is live, since when, whether it is pinned, and what else Redis holds.

    Exit code 1, and the reason first, where nothing is live or what is live is too old.
    """
    with open_desk(namespace, redis_url, as_json) as desk:
        found = Shelf(desk.client, namespace).status()
        problem = _problem(desk, found, MAX_AGE_H if max_age_h is None else max_age_h)
        if as_json:
            health = {"healthy": problem is None, "problem": problem}
            error = {"error": problem} if found.error else {}
            desk.document(health, redis=desk.place, **asdict(found) | error)
        else:
            if problem:
                tables.show_error(problem)
            if found.error is None:
                tables.show_status(found, namespace, desk.place)
        if problem:
            raise typer.Exit(1)


def _problem(desk: Desk, found: Status, max_age_h: float) -> str | None:
    if found.error:
        say = desk.unreadable if found.reachable else desk.unusable
        return say(found.error)
    if found.live is None:
        return desk.nothing("is live")
    return stale(found.live, found.made_age_s, max_age_h)


@app.command(epilog="Example: nightshelf generations --json")
def generations(
    namespace: Namespace = SHOP, redis_url: RedisUrl = LOCAL, as_json: Json = False
) -> None:
    """List every generation that Redis remembers, newest first."""
    with open_desk(namespace, redis_url, as_json) as desk:
        known = listing(desk.client, namespace)
        if not known:
            raise NotFound(desk.nothing("was ever published"))
        held = pinned(desk.client, namespace)
        if as_json:
            desk.document(pinned=held, generations=[asdict(each) for each in known])
        else:
            tables.show_generations(known, held)
