"""Options and arguments that several commands share (needs typer)."""

from pathlib import Path
from typing import Annotated

import typer

from nightshelf.contract.keys import encode_id
from nightshelf.errors import InvalidKey

#: Defaults of the namespace and of Redis.
SHOP = "shop"
LOCAL = "redis://127.0.0.1:6379/0"
_ADDRESSES = "redis://user:password@host:port/db; or redis+cluster://, redis+sentinel:// (hosts)."

Namespace = Annotated[
    str, typer.Option("--namespace", "-s", envvar="NIGHTSHELF_NAMESPACE", help="Whose lists.")
]
RedisUrl = Annotated[
    str,
    typer.Option("--redis-url", envvar="REDIS_URL", help=_ADDRESSES),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Even if it is held back for a reason.")]
Generation = Annotated[int, typer.Argument(metavar="GEN", help="Which generation.", min=1)]
RunRoot = Annotated[
    Path, typer.Option("--run-root", "--runs", help="Where the runs' folders are, in a checkout.")
]
Config = Annotated[Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")]
MaxAge = Annotated[
    float | None,
    typer.Option(
        "--max-age-h",
        min=0,
        envvar="NIGHTSHELF_MAX_AGE_H",
        help="Hours after which a generation is too old: 30, or 1.25 nights, unless told.",
    ),
]


def checked_id(raw: str) -> str:
    """Return a valid id from the command line; `BadParameter` (exit code 2) for another text."""
    try:
        encode_id(raw)
    except InvalidKey as error:
        raise typer.BadParameter(str(error)) from None
    return raw
