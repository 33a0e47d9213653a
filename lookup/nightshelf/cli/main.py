"""The command ``nightshelf``: read lists, see what is live, roll back, hold, take off, tidy.

Exit codes: 0 done; 1 refused, not found (nothing is live in the namespace, no such item or
segment), not healthy, or Redis out of reach; 2 not understood. `get` of a user without a list is
none of these: everybody has a fallback. An error is one line on stderr. With ``--json`` one
document goes to stdout and nothing else, an error in it; its fields are stable:

- get, similar, popular: ``namespace``, ``asked``, ``source``, ``generation``, ``model``, ``age_s``,
  ``items`` of ``rank``, ``item_id``, ``title``, ``category``, ``score``, ``reason``, ``words``
- status: ``healthy`` (something is live, and no older than --max-age-h), ``problem`` (why not, or
  null), ``namespace``, ``redis``, ``reachable``, ``server``, ``live`` (a manifest or null),
  ``age_s`` (since published), ``made_age_s`` (since its keys were written), ``states``,
  ``pinned`` (a generation or null), ``canary`` (a manifest or null), ``n_blocked``, ``error``
- generations: ``namespace``, ``pinned``, ``generations`` (manifests, newest first)
- rollback, promote, pin, unpin, canary: ``namespace``, ``from``, ``to`` (what was live, and what
  is), ``pinned``, ``canary``, ``states`` (of the generations whose state changes), ``dry_run``
- extend, retire: ``namespace``, ``generation``, ``keys`` (how many were extended or deleted),
  ``dry_run``
- block, unblock: ``namespace``, ``items``, ``blocked`` (all that are, afterwards), ``dry_run``
- forget: ``namespace``, ``user``, ``keys``, ``entries`` and ``waiting`` (what was found), ``left``
  (the same, read back), ``staging`` (generations that a publisher is writing), ``dry_run``
- diff, doctor: see `nightshelf.diff.document`, `nightshelf.cli.doctor`; republish, why:
  `nightshelf_ops`
- on exit codes 1 and 2 from Redis or its answer: ``error``, and ``reason`` for a refusal
"""

from contextlib import suppress
from importlib.metadata import entry_points

try:
    import typer

    from nightshelf.cli import diff as cli_diff
    from nightshelf.cli import doctor as cli_doctor
    from nightshelf.cli import generations as cli_operate
    from nightshelf.cli import read as cli_read
    from nightshelf.cli import retention as cli_upkeep
    from nightshelf.cli import serve as cli_serve
    from nightshelf.cli import takedown as cli_withdraw
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
app.add_typer(cli_diff.app)
app.add_typer(cli_doctor.app)
app.add_typer(cli_operate.app)
app.add_typer(cli_serve.app)
app.add_typer(cli_upkeep.app)
app.add_typer(cli_withdraw.app)
for _point in entry_points(group="nightshelf.commands"):
    with suppress(ModuleNotFoundError):  # an app's install: no checkout, no pipeline
        app.add_typer(_point.load())


def main() -> None:
    """Run the command."""
    app()
