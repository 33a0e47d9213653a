"""The command ``nightshelf``: read lists, see what is live, roll back, hold, tidy.

Exit codes: 0 done, 1 refused or Redis out of reach, 2 not understood. With ``--json`` one document
goes to stdout and nothing else; its fields are stable:

- get, similar, popular: ``namespace``, ``asked``, ``source``, ``generation``, ``model``, ``age_s``,
  ``items`` of ``rank``, ``item_id``, ``title``, ``category``, ``score``, ``reason``, ``words``
- status: ``namespace``, ``redis``, ``reachable``, ``server``, ``live`` (a manifest or null),
  ``age_s``, ``states``, ``pinned`` (a generation or null), ``error``
- generations: ``namespace``, ``pinned``, ``generations`` (manifests, newest first)
- rollback, promote, pin, unpin: ``namespace``, ``from``, ``to`` (what was live, and what is),
  ``pinned``, ``states`` (of the generations whose state changes), ``dry_run``
- extend, retire: ``namespace``, ``generation``, ``keys`` (how many were extended or deleted),
  ``dry_run``
- on exit codes 1 and 2 from Redis or its answer: ``error``, and ``reason`` for a refusal
"""

try:
    import typer

    from nightshelf import cli_operate, cli_read
except ModuleNotFoundError as absent:
    if absent.name not in ("typer", "rich"):
        raise
    raise SystemExit(
        "The command nightshelf needs its extra: pip install 'nightshelf[cli]'"
    ) from None

app = typer.Typer(
    help="Read recommendation lists out of Redis, see what is live, roll back, hold, tidy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, a password among them
)
app.add_typer(cli_read.app)
app.add_typer(cli_operate.app)


def main() -> None:
    """Run the command."""
    app()
