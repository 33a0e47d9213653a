"""Commands of `nightshelf runs`: list and prune."""

from pathlib import Path

import typer

from nightshelf.cli.context import Context, command
from nightshelf.cli.options import Config, RunRoot
from nightshelf_ops.reporting import pipeline

group = typer.Typer(
    help="List the runs on disk, and delete the data of old ones.", no_args_is_help=True
)


@command(
    group,
    name="list",
    epilog="Examples: nightshelf runs list; nightshelf runs list -s books --json",
)
def list_runs(context: Context, run_root: RunRoot = Path("runs"), config: Config = None) -> None:
    """List the runs, their sizes, and why each is kept whole."""
    with pipeline():
        from nightshelf_ops.prune import show_runs
    show_runs(context, run_root, config)


@command(
    group,
    changes=True,
    epilog="Examples: nightshelf runs prune --dry-run; nightshelf runs prune --yes",
)
def prune(context: Context, run_root: RunRoot = Path("runs"), config: Config = None) -> None:
    """Delete the data of runs that nothing needs, as a night does; their reports stay."""
    with pipeline():
        from nightshelf_ops.prune import prune_old
    prune_old(context, run_root, config)
