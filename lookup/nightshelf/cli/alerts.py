"""Command ``nightshelf alerts``: incidents of the watch, and the figures of its last pass.

Commands that need the pipeline join `group` (`nightshelf_ops`).
"""

from dataclasses import asdict

import typer

from nightshelf.admin.incidents import incidents, last_pass
from nightshelf.admin.namespace_state import server_time
from nightshelf.cli.context import Context, open_context
from nightshelf.cli.options import LOCAL, SHOP, Json, Namespace, RedisUrl
from nightshelf.cli.tables.alerts import show_alerts

group = typer.Typer(help="List incidents of the watch, open and past; test the receivers.")
app = typer.Typer()
app.add_typer(group, name="alerts")


@group.callback(
    invoke_without_command=True,
    epilog="Examples: nightshelf alerts; nightshelf alerts -s homepage --json; "
    "nightshelf alerts test",
)
def alerts(
    chosen: typer.Context,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """List incidents, the open ones first, and the figures that are not as they should be."""
    if chosen.invoked_subcommand is None:
        with open_context(namespace, redis_url, as_json=as_json) as context:
            list_alerts(context)


def list_alerts(context: Context) -> None:
    """Print the incidents and the last pass."""
    found = incidents(context.client, context.namespace)
    done = last_pass(context.client, context.namespace)
    if context.as_json:
        last = asdict(done) if done else None
        context.document(incidents=[asdict(each) for each in found], last_pass=last)
    else:
        show_alerts(found, done, server_time(context.client))
