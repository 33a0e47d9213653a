"""Plans and outcomes of `block`, `unblock` and `forget`."""

from collections.abc import Sequence

from nightshelf.admin.erasure import Traces
from nightshelf.cli.tables.terminal import show_error, show_line


def block_text(namespace: str, items: Sequence[str]) -> str:
    """Describe a block."""
    return f"{namespace}: {_some(items)} off every list, fallback and similar list"


def unblock_text(namespace: str, items: Sequence[str]) -> str:
    """Describe an unblock."""
    return f"{namespace}: {_some(items)} may be shown again"


def blocked_text(namespace: str, blocked: Sequence[str]) -> str:
    """List the blocked items."""
    return f"{namespace}: blocked {_some(blocked)}" if blocked else f"{namespace}: nothing blocked"


def forget_text(namespace: str, user: str, found: Traces) -> str:
    """Describe the deletion of a user."""
    keys, entries = len(found.keys), len(found.entries)
    return f"{namespace}: delete {keys} keys and {entries} stream entries of user {user}, for good"


def show_forgotten(user: str, left: Traces, staging: Sequence[int], *, dry_run: bool) -> None:
    """Print the remaining traces of a user, and where others may be."""
    for name in (*left.keys, *(f"stream entry {entry}" for entry in left.entries)):
        show_line(f"  {name}")
    if left.queued:
        show_line("  an entry in the refresh queue")
    if dry_run:
        return
    if left:
        show_error(f"{user} is written to still: stop who writes, and forget again")
    else:
        show_line(f"Read back: Redis holds nothing of {user}")
    if staging:
        numbers = ", ".join(map(str, staging))
        show_line(f"Generation {numbers} is being staged: forget again when that is done")
    show_line(f"The event log and the run folders may hold {user} still; a log that does brings")
    show_line("the user back with the next night or refresh")


def _some(items: Sequence[str]) -> str:
    shown = ", ".join(items[:10])
    return shown if len(items) <= 10 else f"{shown} and {len(items) - 10} more"
