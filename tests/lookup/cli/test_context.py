"""Options that all commands share, and their errors."""

import inspect

import pytest
import typer

from nightshelf import errors
from nightshelf.cli.context import Context, command
from nightshelf.cli.main import app
from tests.lookup.terminal import CHANGES, COMMANDS

BY_NAME = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [args[0] for args in COMMANDS])
def test_every_command_has_the_shared_options(name: str) -> None:
    options = [option.opts[0] for option in BY_NAME[name].params]
    changes = ["--yes", "--dry-run"] if [name] in [args[:1] for args in CHANGES] else []
    shared = [*changes, "--namespace", "--redis-url", "--json"]
    assert options[-len(shared) :] == shared
    assert BY_NAME[name].epilog.startswith("Example")


def test_a_command_gets_the_context_and_its_own_options(redis_url: str) -> None:
    own, given = typer.Typer(), list[tuple[str, bool, bool, int]]()

    @command(own, changes=True, epilog="Example: count 3")
    def count(context: Context, n: int = 1) -> None:
        given.append((context.namespace, context.as_json, context.dry_run, n))

    own(["--n", "3", "-s", "a", "--dry-run", "--redis-url", redis_url], standalone_mode=False)
    assert given == [("a", False, True, 3)]


def test_the_tree_of_exceptions_is_the_modules_docstring() -> None:
    named = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    lines = (errors.__doc__ or "").splitlines()
    assert {line.strip(" +-").split("(")[0].split(":")[0].strip() for line in lines[2:8]} == named
