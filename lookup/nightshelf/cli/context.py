"""Context of one command: an open Redis, its namespace, its output (needs typer and rich).

`command` adds the options that all commands share, opens the context, and reports errors.
"""

import getpass
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from inspect import Parameter, Signature, signature
from typing import Any, NoReturn

import typer
from redis import Redis
from redis.exceptions import RedisError

from nightshelf.admin import audit
from nightshelf.admin.generations import current
from nightshelf.admin.namespaces import namespaces
from nightshelf.cli.options import LOCAL, SHOP, DryRun, Json, Namespace, RedisUrl, Yes
from nightshelf.cli.tables.lists import PUBLISH, rows, show_list
from nightshelf.cli.tables.terminal import show_error, show_line
from nightshelf.client.core.failures import failure
from nightshelf.client.results import Result
from nightshelf.client.shelf import Shelf
from nightshelf.client.transport.connection import address, connect
from nightshelf.contract.keys import Keys
from nightshelf.errors import CorruptValue, NightshelfError, NotFound, TransitionRefused

#: Deadline of a command's reads; a person waits longer than a page.
TIMEOUT_S = 2.0

Command = Callable[..., None]
_IN_EXPERIMENT = ("experiment", "variant", "phase", "forced")


def _option(name: str, default: object, annotation: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_CHANGES = (_option("yes", False, Yes), _option("dry_run", False, DryRun))
_SHARED = (
    _option("namespace", SHOP, Namespace),
    _option("redis_url", LOCAL, RedisUrl),
    _option("as_json", False, Json),
)


@dataclass(frozen=True)
class Context:
    """An open Redis, the namespace, and the answers to how to print and whether to ask.

    `agreed` are the plans that were confirmed, or went ahead by --yes.
    """

    client: Redis
    namespace: str
    as_json: bool = False
    yes: bool = False
    dry_run: bool = False
    agreed: list[str] = field(default_factory=list, init=False)

    @property
    def address(self) -> str:
        """Address of Redis, without credentials."""
        return address(self.client)

    def open_shelf(self) -> Shelf:
        """Return the shelf; raises `NotFound` where no generation is live, and errors of Redis."""
        if current(self.client, self.namespace) is None:
            raise NotFound(self.absent("is live"))
        return Shelf(self.client, self.namespace)

    def absent(self, what: str) -> str:
        """Say that a namespace has no generation of a kind, and name the other namespaces."""
        others = [name for name in namespaces(self.client) if name != self.namespace]
        meant = f"; or name another with --namespace: {', '.join(others)}" if others else ""
        return f"nothing {what} in {self.namespace}: {PUBLISH}{meant}"

    def show_result(self, shelf: Shelf, asked: str, wanted: str, result: Result) -> None:
        """Print a result; one from another source than `wanted` is called a fallback."""
        named = {item.item_id for item in result.items}
        named |= {need for item in result.items for need in item.reason[1:]}
        items = rows(result, shelf.item_features(sorted(named)))
        if self.as_json:
            names = ("source", "generation", "model", "age_s", *_IN_EXPERIMENT)
            about = {name: getattr(result, name) for name in names}
            self.document(asked=asked, **about, items=items)
        else:
            show_list(result, items, asked, fallback=result.source != wanted)

    def document(self, first: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Print the JSON document, with the fields of `first` before the namespace."""
        _print({**(first or {}), "namespace": self.namespace, **fields})

    def confirm(self, plan: str) -> bool:
        """Print a plan, and tell whether to carry it out; a refusal ends the command."""
        if not self.as_json:
            show_line(plan)
        if self.dry_run:
            if not self.as_json:
                show_line("Dry run: nothing was changed")
            return False
        if not self.yes:
            self._ask(plan)
        self.agreed.append(plan)
        return True

    def _ask(self, plan: str) -> None:
        """Ask a person at a terminal; end the command where there is none, or who refuses."""
        if not sys.stdin.isatty():
            _fail(self.as_json, f"{plan}: nobody is at a terminal to confirm; add --yes", code=2)
        if not typer.confirm(f"{plan}. Go ahead?" if self.as_json else "Go ahead?", err=True):
            _fail(self.as_json, "not confirmed; nothing was changed")

    def write_to_audit(self, action: str, options: Mapping[str, Any]) -> None:
        """Write a line for each plan that was carried out; say on stderr where that fails."""
        what = ", ".join(_given(*each) for each in options.items() if each[1] not in (None, False))
        for plan in self.agreed:
            unwritten = audit.record(
                self.client,
                self.namespace,
                who=_person(),
                action=action,
                what=what,
                outcome=f"done: {plan}",
            )
            for each in unwritten:
                show_error(f"done, but not in the audit: {each}")

    def unusable(self, error: Exception | str) -> str:
        """Describe a failure of Redis."""
        found = error if isinstance(error, str) else failure(error, TIMEOUT_S)
        return f"cannot use Redis at {self.address} (see --redis-url): {found}"

    def unreadable(self, error: object) -> str:
        """Describe a value that is not of the contract."""
        return f"Redis at {self.address} holds what cannot be read: {error}"


def command(
    app: typer.Typer,
    *,
    epilog: str,
    changes: bool = False,
    audited: bool = True,
    name: str | None = None,
) -> Callable[[Command], Command]:
    """Register a function of a `Context` and its own options as a command of `app`.

    Adds --namespace, --redis-url and --json; with `changes` also --yes and --dry-run, and a line in
    the audit for what was agreed to, unless `audited` is false. `name` is the function's own unless
    given.
    """
    shared = [*(_CHANGES if changes else ()), *_SHARED]

    def register(function: Command) -> Command:
        def run(namespace: str, redis_url: str, as_json: bool, **options: Any) -> None:
            answers = {name: options.pop(name) for name in ("yes", "dry_run") if changes}
            with open_context(namespace, redis_url, as_json=as_json, **answers) as context:
                function(context, **options)
                if audited:
                    context.write_to_audit(name or function.__name__, options)

        own = list(signature(function).parameters.values())[1:]
        run.__name__, run.__doc__ = function.__name__, function.__doc__
        run.__signature__ = Signature([*own, *shared])  # type: ignore[attr-defined]
        app.command(name, epilog=epilog)(run)
        return function

    return register


def _given(name: str, value: object) -> str:
    return " ".join([name, *map(str, value if isinstance(value, list) else [value])])


def _person() -> str:
    """Name the login of this machine; it may have none, as in a container."""
    with suppress(OSError, KeyError):
        return f"{getpass.getuser()} (command line)"
    return "command line"


@contextmanager
def open_context(namespace: str, redis_url: str, **answers: bool) -> Iterator[Context]:
    """Open Redis, and end the command with one line for an error of this package or of Redis."""
    as_json = answers.get("as_json", False)
    try:
        Keys(namespace)
        context = Context(connect(redis_url, timeout_s=TIMEOUT_S), namespace, **answers)
    except ValueError as error:
        _fail(as_json, str(error), code=2)
    try:
        yield context
    except TransitionRefused as error:
        _fail(as_json, f"refused ({error.reason}): {error}", reason=error.reason)
    except CorruptValue as error:
        _fail(as_json, context.unreadable(error))
    except NightshelfError as error:
        _fail(as_json, str(error))
    except (RedisError, OSError) as error:
        _fail(as_json, context.unusable(error))
    finally:
        context.client.close()


def _fail(as_json: bool, message: str, *, code: int = 1, **fields: str) -> NoReturn:
    """End the command with an error, in the JSON document or in a line on stderr."""
    if as_json:
        _print({"error": message, **fields})
    else:
        show_error(message)
    raise typer.Exit(code)


def _print(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2))
