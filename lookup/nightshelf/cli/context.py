"""Where every command reads, what options it has, and how it speaks (needs typer and rich)."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from redis import Redis
from redis.exceptions import RedisError

from nightshelf.admin.generations import current
from nightshelf.admin.namespaces import namespaces
from nightshelf.cli.tables import common as tables
from nightshelf.client.core.failures import failure
from nightshelf.client.results import Result
from nightshelf.client.shelf import Shelf
from nightshelf.client.transport.connection import address, connect
from nightshelf.contract.keys import Keys, encode_id
from nightshelf.errors import CorruptValue, InvalidKey, NightshelfError, NotFound, TransitionRefused

#: A person waits longer than a page does.
TIMEOUT_S = 2.0

Namespace = Annotated[
    str, typer.Option("--namespace", "-s", envvar="NIGHTSHELF_NAMESPACE", help="Whose lists.")
]
RedisUrl = Annotated[
    str,
    typer.Option("--redis-url", envvar="REDIS_URL", help="redis://user:password@host:port/db"),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Generation = Annotated[int, typer.Argument(metavar="GEN", help="Which generation.", min=1)]
Force = Annotated[bool, typer.Option("--force", help="Even if it is held back for a reason.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]
RunRoot = Annotated[
    Path, typer.Option("--run-root", "--runs", help="Where the runs' folders are, in a checkout.")
]
MaxAge = Annotated[
    float | None,
    typer.Option(
        "--max-age-h",
        min=0,
        envvar="NIGHTSHELF_MAX_AGE_H",
        help="Hours after which a generation is too old: 30, or 1.25 nights, unless told.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]

SHOP = "shop"
LOCAL = "redis://127.0.0.1:6379/0"


def checked_id(raw: str) -> str:
    """Return an id from the command line; `BadParameter` (exit code 2) where it is none."""
    try:
        encode_id(raw)
    except InvalidKey as error:
        raise typer.BadParameter(str(error)) from None
    return raw


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
        """Return the shelf, if anything is live; what fails raises, though the shelf would answer.

        Raises `NotFound` where nothing is live.
        """
        if current(self.client, self.namespace) is None:
            raise NotFound(self.nothing("is live"))
        return Shelf(self.client, self.namespace)

    def nothing(self, found: str) -> str:
        """Say that a namespace has nothing of a kind, and which others there are."""
        others = [name for name in namespaces(self.client) if name != self.namespace]
        meant = f"; or name another with --namespace: {', '.join(others)}" if others else ""
        return f"nothing {found} in {self.namespace}: {tables.PUBLISH}{meant}"

    def show(self, shelf: Shelf, asked: str, wanted: str, result: Result) -> None:
        """Print an answer; one from elsewhere than the source `wanted` is called a fallback."""
        named = {item.item_id for item in result.items}
        named |= {need for item in result.items for need in item.reason[1:]}
        rows = tables.rows(result, shelf.item_features(sorted(named)))
        if self.as_json:
            about = ("source", "generation", "model", "age_s")
            told = {name: getattr(result, name) for name in about}
            self.document(asked=asked, **told, items=rows)
        else:
            tables.show_list(result, rows, asked, fallback=result.source != wanted)

    def document(self, first: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Print the one JSON document, in which `first` comes first."""
        _print({**(first or {}), "namespace": self.namespace, **fields})

    def agreed(self, plan: str, *, yes: bool, dry_run: bool) -> bool:
        """Say what is about to happen, and tell whether to go on; a no ends the command."""
        if not self.as_json:
            tables.show_line(plan)
        if dry_run:
            if not self.as_json:
                tables.show_line("Dry run: nothing was changed")
            return False
        if yes:
            return True
        if not sys.stdin.isatty():
            _fail(self.as_json, f"{plan}: nobody is at a terminal to confirm; add --yes", code=2)
        if not typer.confirm(f"{plan}. Go ahead?" if self.as_json else "Go ahead?", err=True):
            _fail(self.as_json, "not confirmed; nothing was changed")
        return True

    def unusable(self, error: Exception | str) -> str:
        """Say that Redis fails us."""
        words = error if isinstance(error, str) else failure(error, TIMEOUT_S)
        return f"cannot use Redis at {self.place} (see --redis-url): {words}"

    def unreadable(self, error: object) -> str:
        """Say that Redis holds something else than the contract's."""
        return f"Redis at {self.place} holds what cannot be read: {error}"


@contextmanager
def open_desk(namespace: str, redis_url: str, as_json: bool) -> Iterator[Desk]:
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
    except NightshelfError as error:
        _fail(as_json, str(error))
    except (RedisError, OSError) as error:
        _fail(as_json, desk.unusable(error))
    finally:
        desk.client.close()


def _fail(as_json: bool, message: str, *, code: int = 1, **fields: str) -> NoReturn:
    """End the command with an error, said once: in the document, else in a line on stderr."""
    if as_json:
        _print({"error": message, **fields})
    else:
        tables.show_error(message)
    raise typer.Exit(code)


def _print(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2))
