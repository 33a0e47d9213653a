"""Commands that read: lists, the status and the generations of a namespace."""

from dataclasses import asdict
from typing import Annotated

import typer

from nightshelf.admin.generations import listing, pinned
from nightshelf.cli.context import Context, command
from nightshelf.cli.options import MaxAge, checked_id
from nightshelf.cli.tables.generations import show_generations, show_status
from nightshelf.cli.tables.terminal import show_error
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
Forced = Annotated[
    str | None,
    typer.Option("--forced", metavar="EXPERIMENT:VARIANT", help="As this variant's users see it."),
]

app = typer.Typer()


@command(app, epilog="Examples: nightshelf get u42 -n 5; nightshelf get u42 --forced exp-1:ease")
def get(context: Context, user: User, n: N = 10, forced: Forced = None) -> None:
    """Show a user's list, why each item is in it, and the user's variant in an experiment."""
    shelf = context.open_shelf()
    found = shelf.get(user, n, forced=forced)
    if forced and not found.forced and found.items:
        raise NotFound(
            f"no variant {forced!r} in {context.namespace}: see nightshelf experiment list"
        )
    context.show_result(shelf, user, "list", found)


@command(app, epilog="Example: nightshelf similar B2 --json")
def similar(context: Context, item: ItemId, n: N = 10) -> None:
    """Show the items like one item."""
    shelf = context.open_shelf()
    found = shelf.similar(item, n)
    if found.source != "similar" and not shelf.item_features([item]):
        raise NotFound(
            f"no item {item!r} in generation {found.generation} of {context.namespace}; "
            "readers who ask for it are given what is popular"
        )
    context.show_result(shelf, item, "similar", found)


@command(app, epilog="Examples: nightshelf popular; nightshelf popular 'category:Toys & Games'")
def popular(context: Context, segment: Segment = "all", n: N = 10) -> None:
    """Show the list of a segment: what strangers are given."""
    shelf = context.open_shelf()
    found = shelf.popular(segment, n)
    if found.source != f"popular:{segment}":
        raise NotFound(
            f"no list of {segment!r} in generation {found.generation} of {context.namespace}; "
            "readers who ask for it are given what is popular with everyone"
        )
    context.show_result(shelf, segment, found.source, found)


@command(app, epilog="Examples: nightshelf status; nightshelf status -s homepage --max-age-h 8")
def status(context: Context, max_age_h: MaxAge = None) -> None:
    """Say what is live, since when, whether it is pinned, and what else Redis holds.

    Exit code 1, and the reason first, where nothing is live or what is live is too old.
    """
    found = Shelf(context.client, context.namespace).status()
    problem = _problem(context, found, MAX_AGE_H if max_age_h is None else max_age_h)
    if context.as_json:
        health = {"healthy": problem is None, "problem": problem}
        error = {"error": problem} if found.error else {}
        context.document(health, redis=context.address, **asdict(found) | error)
    else:
        if problem:
            show_error(problem)
        if found.error is None:
            show_status(found, context.namespace, context.address)
    if problem:
        raise typer.Exit(1)


def _problem(context: Context, found: Status, max_age_h: float) -> str | None:
    if found.error:
        describe = context.unreadable if found.reachable else context.unusable
        return describe(found.error)
    if found.live is None:
        return context.absent("is live")
    return stale(found.live, found.made_age_s, max_age_h)


@command(app, epilog="Example: nightshelf generations --json")
def generations(context: Context) -> None:
    """List every generation that Redis remembers, newest first."""
    known = listing(context.client, context.namespace)
    if not known:
        raise NotFound(context.absent("was ever published"))
    held = pinned(context.client, context.namespace)
    if context.as_json:
        context.document(pinned=held, generations=[asdict(each) for each in known])
    else:
        show_generations(known, held)
