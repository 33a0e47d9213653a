"""The command ``nightshelf``: read lists, see what is live, roll back.

Exit codes: 0 done, 1 refused or Redis out of reach, 2 not understood. With ``--json`` one document
goes to stdout and nothing else; its fields are stable:

- get, similar, popular: ``namespace``, ``asked``, ``source``, ``generation``, ``model``, ``age_s``,
  ``items`` of ``rank``, ``item_id``, ``title``, ``category``, ``score``, ``reason``, ``words``
- status: ``namespace``, ``redis``, ``reachable``, ``server``, ``live`` (a manifest or null),
  ``age_s``, ``states``, ``error``
- generations: ``namespace``, ``generations`` (manifests, newest first)
- rollback: ``namespace``, ``from``, ``to``
- on exit codes 1 and 2 from Redis or its answer: ``error``, and ``reason`` for a refusal
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NoReturn

from redis import Redis
from redis.exceptions import RedisError

try:
    import typer

    from nightshelf import tables
except ModuleNotFoundError as absent:
    if absent.name not in ("typer", "rich"):
        raise
    raise SystemExit(
        "The command nightshelf needs its extra: pip install 'nightshelf[cli]'"
    ) from None

from nightshelf.answers import Result
from nightshelf.connection import address, connect
from nightshelf.contract import Keys
from nightshelf.errors import CorruptValue, TransitionRefused
from nightshelf.generations import current, listing, rollback_target
from nightshelf.generations import rollback as roll_back
from nightshelf.shelf import Shelf

#: A person waits longer than a page does.
TIMEOUT_S = 2.0

User = Annotated[str, typer.Argument(metavar="USER", help="Whose list; anyone has one.")]
ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="Like which item.")]
Segment = Annotated[
    str, typer.Argument(metavar="SEGMENT", help="all, trending, new, category:NAME or segment:NAME")
]
N = Annotated[int, typer.Option("-n", min=1, help="How many items at most.")]
To = Annotated[int | None, typer.Option("--to", help="Which; else the newest older one.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]
Namespace = Annotated[
    str, typer.Option("--namespace", "-s", envvar="NIGHTSHELF_NAMESPACE", help="Whose lists.")
]
RedisUrl = Annotated[
    str,
    typer.Option("--redis-url", envvar="REDIS_URL", help="redis://user:password@host:port/db"),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

SHOP = "shop"
LOCAL = "redis://127.0.0.1:6379/0"

app = typer.Typer(
    help="Read recommendation lists out of Redis, see what is live, roll back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, a password among them
)


@app.command(epilog="Example: nightshelf get u42 -n 5")
def get(
    user: User,
    n: N = 10,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Show a user's list, and why each item is in it."""
    with _desk(namespace, redis_url, as_json) as desk:
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
    with _desk(namespace, redis_url, as_json) as desk:
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
    with _desk(namespace, redis_url, as_json) as desk:
        shelf = desk.open()
        desk.show(shelf, segment, f"popular:{segment}", shelf.popular(segment, n))


@app.command(epilog="Example: nightshelf status -s homepage")
def status(namespace: Namespace = SHOP, redis_url: RedisUrl = LOCAL, as_json: Json = False) -> None:
    """Say what is live, since when, and what else Redis holds."""
    with _desk(namespace, redis_url, as_json) as desk:
        found = Shelf(desk.client, namespace).status()
        if as_json:
            _print({"namespace": namespace, "redis": desk.place, **asdict(found)})
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
    with _desk(namespace, redis_url, as_json) as desk:
        known = listing(desk.client, namespace)
        if as_json:
            _print({"namespace": namespace, "generations": [asdict(each) for each in known]})
        else:
            tables.show_generations(known, namespace)


@app.command(epilog="Examples: nightshelf rollback; nightshelf rollback --to 41 --yes")
def rollback(
    to: To = None,
    yes: Yes = False,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Make an earlier generation live again, in one step for every reader."""
    with _desk(namespace, redis_url, as_json) as desk:
        live = current(desk.client, namespace)
        target = rollback_target(desk.client, namespace, to=to)
        if live is None or target.generation != live.generation:
            desk.confirm(tables.rollback_words(namespace, live, target), yes=yes)
            if current(desk.client, namespace) != live:
                raise TransitionRefused("contended", f"{namespace} moved meanwhile; look again")
            roll_back(desk.client, namespace, to=target.generation)
        if as_json:
            left = live.generation if live else None
            _print({"namespace": namespace, "from": left, "to": target.generation})
        else:
            tables.show_line(f"{namespace}: generation {target.generation} is live")


def main() -> None:
    """Run the command."""
    app()


@dataclass(frozen=True)
class Desk:
    """Where one command reads, and how it speaks."""

    client: Redis
    namespace: str
    as_json: bool

    @property
    def place(self) -> str:
        """Where Redis is, without credentials."""
        return address(self.client)

    def open(self) -> Shelf:
        """Return the shelf; a Redis out of reach raises, though the shelf would answer."""
        self.client.ping()
        return Shelf(self.client, self.namespace)

    def show(self, shelf: Shelf, asked: str, wanted: str, result: Result) -> None:
        """Print an answer; one from elsewhere than the source `wanted` is called a fallback."""
        named = {item.item_id for item in result.items}
        named |= {need for item in result.items for need in item.reason[1:]}
        rows = tables.rows(result, shelf.item_features(sorted(named)))
        if self.as_json:
            _print({"namespace": self.namespace, "asked": asked, **asdict(result), "items": rows})
        else:
            tables.show_list(result, rows, self.namespace, asked, fallback=result.source != wanted)

    def confirm(self, plan: str, *, yes: bool) -> None:
        """Say what is about to happen, and go on only with a yes."""
        if not self.as_json:
            tables.show_line(plan)
        if yes:
            return
        if not sys.stdin.isatty():
            _fail(self.as_json, f"{plan}: nobody is at a terminal to confirm; add --yes", code=2)
        if not typer.confirm(f"{plan}. Go ahead?" if self.as_json else "Go ahead?", err=True):
            _fail(self.as_json, "not confirmed; nothing was changed")

    def unusable(self, error: object) -> str:
        """Say that Redis fails us."""
        return f"cannot use Redis at {self.place} (see --redis-url): {error}"

    def unreadable(self, error: object) -> str:
        """Say that Redis holds something else than the contract's."""
        return f"Redis at {self.place} holds what cannot be read: {error}"


@contextmanager
def _desk(namespace: str, redis_url: str, as_json: bool) -> Iterator[Desk]:
    """Open Redis, and say in one line what goes wrong."""
    try:
        Keys(namespace)
        desk = Desk(connect(redis_url, timeout_s=TIMEOUT_S), namespace, as_json)
    except ValueError as error:
        _fail(as_json, str(error), code=2)
    try:
        yield desk
    except TransitionRefused as error:
        _fail(as_json, f"refused ({error.reason}): {error}", reason=error.reason)
    except CorruptValue as error:
        _fail(as_json, desk.unreadable(error))
    except (RedisError, OSError) as error:
        _fail(as_json, desk.unusable(error))
    finally:
        desk.client.close()


def _fail(as_json: bool, message: str, *, code: int = 1, **fields: str) -> NoReturn:
    if as_json:
        _print({"error": message, **fields})
    tables.show_error(message)
    raise typer.Exit(code)


def _print(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2))
