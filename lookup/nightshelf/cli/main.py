"""The command ``nightshelf``: read lists and status, change generations, remove items and users.

Exit codes: 0 done; 1 refused, not found (nothing live in the namespace, no such item or segment),
not healthy, or Redis unreachable; 2 invalid arguments. `get` of a user without a list gives a
fallback, with exit code 0. An error is one line on stderr. With ``--json`` stdout has one document
and nothing else, errors included; its fields are stable:

- get, similar, popular: ``namespace``, ``asked``, ``source``, ``generation``, ``model``, ``age_s``,
  ``experiment``, ``variant``, ``phase`` and ``forced`` (null and false outside an experiment),
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
- forget: ``namespace``, ``user``, fields of `nightshelf.admin.erasure.Traces` (what was found),
  ``left`` (the same, read back), ``staging`` (generations being written), ``dry_run``
- experiment list: ``namespace``, ``generation``, ``experiments`` (records of
  `nightshelf.contract.experiment`, with ``state``, ``traffic_percent`` and each variant's
  ``percent`` of the experiment's users)
- experiment stop: ``namespace``, ``experiment``, ``phase``, ``status``, ``dry_run``
- alerts: ``namespace``, ``incidents`` and ``last_pass`` (records of `nightshelf.contract.incident`;
  the open incidents first, no pass is null)
- diff, doctor: see `nightshelf.diff.document`, `nightshelf.cli.doctor`; republish, why:
  `nightshelf_ops`
- on exit codes 1 and 2 from Redis or its answer: ``error``, and ``reason`` for a refusal
"""

from contextlib import suppress
from importlib.metadata import entry_points

try:
    import typer

    from nightshelf.cli import alerts, diff, doctor, experiments, generations, read, serve, takedown
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
for _part in (read, diff, doctor, alerts, generations, experiments, serve, takedown):
    app.add_typer(_part.app)
for _point in entry_points(group="nightshelf.commands"):
    with suppress(ModuleNotFoundError):  # an app's install: no checkout, no pipeline
        app.add_typer(_point.load())


def main() -> None:
    """Run the command."""
    app()
