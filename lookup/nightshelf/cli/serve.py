"""Command that serves lists over HTTP (needs the extra ``service``).

Further settings come from the environment: `nightshelf.service.settings`.
"""

from typing import Annotated

import typer

from nightshelf.cli.options import LOCAL, SHOP, Namespace, RedisUrl
from nightshelf.cli.tables.terminal import show_error

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")]

app = typer.Typer()


@app.command(epilog="Example: nightshelf serve --host 0.0.0.0 --port 8080")
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    namespace: Namespace = SHOP,
    redis_url: RedisUrl = LOCAL,
) -> None:
    """Serve lists over HTTP until told to end; keys, limits and more are NIGHTSHELF_SERVICE_*."""
    try:
        # Takes seconds, and needs the extra: imported by this command alone.
        from nightshelf.service import create_app, server  # noqa: PLC0415
        from nightshelf.service.settings import read_settings  # noqa: PLC0415
    except ModuleNotFoundError as absent:
        show_error(f"{absent.name} is absent: pip install 'nightshelf[service]'")
        raise typer.Exit(1) from None
    try:
        made = create_app(read_settings(redis_url, namespace))
    except ValueError as error:
        show_error(str(error))
        raise typer.Exit(2) from None
    server.run(made, host, port)
