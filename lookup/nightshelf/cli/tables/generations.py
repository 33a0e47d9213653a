"""Tables of generations, and the status of a namespace."""

from collections.abc import Sequence
from datetime import UTC, datetime

from nightshelf.cli.tables.lists import PUBLISH
from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.client.results import Status
from nightshelf.contract.allocation import state_at
from nightshelf.contract.values import Manifest
from nightshelf.text import age_text, minute_text, size_text


def show_status(status: Status, namespace: str, place: str) -> None:
    """Print the live generation, and the states of the others."""
    show_line(f"{namespace} on {status.server or 'a server'} at {place}")
    if status.live is None:
        show_line(f"Nothing is live: {PUBLISH}")
    else:
        live = status.live
        age = f"published {age_text(status.age_s)} ago"
        show_line(f"Live: generation {live.generation}, as of {minute_text(live.as_of)} UTC, {age}")
        show_line(f"{length_text(live)} by {', '.join(live.models)}")
        if live.choice:
            show_line(f"Blend: {live.choice.text()}")
    if status.live and status.live.canary and status.canary:
        out = status.live.canary
        show_line(f"Canary: generation {out.generation} for {out.share:g} % of the users")
        for manifest in (status.live, status.canary):
            show_line(f"  {manifest.generation}: {figure_text(manifest)}")
    if status.live and status.live.experiments:
        now = datetime.now(UTC)
        named = (f"{each.id} {state_at(each, now)}" for each in status.live.experiments)
        show_line(f"Experiments: {', '.join(named)}")
    if status.n_blocked:
        show_line(f"Blocked: {status.n_blocked:,} items, on every path")
    if status.pinned is not None:
        show_line(f"Pinned to generation {status.pinned}: no night goes live until it is unpinned")
    states = sorted(status.states.items(), reverse=True)
    if states:
        show_line("Generations: " + ", ".join(f"{number} {state}" for number, state in states))


def show_generations(known: Sequence[Manifest], pinned: int | None) -> None:
    """Print a generation a row, newest first."""
    numbers = ("gen", "lists", "bytes")
    table = new_table(
        "gen",
        "state",
        "as of",
        "published",
        "lists",
        "bytes",
        "digest",
        "gates",
        right=numbers,
    )
    for manifest in known:
        add_row(
            table,
            str(manifest.generation),
            _state(manifest, known, pinned),
            minute_text(manifest.as_of),
            minute_text(manifest.published_at),
            f"{manifest.counts.get('list', 0):,}",
            size_text(manifest.n_bytes),
            manifest.digest[:8] or "-",
            gate_text(manifest),
        )
    new_console().print(table)
    show_line("Times are UTC")


def gate_text(manifest: Manifest) -> str:
    """Format the gates that warned or blocked, or that all passed."""
    by_outcome = {
        outcome: [name for name, found in sorted(manifest.gates.items()) if found == outcome]
        for outcome in ("block", "warn")
    }
    text = "; ".join(
        f"{outcome}: {', '.join(names)}" for outcome, names in by_outcome.items() if names
    )
    return text or ("passed" if manifest.gates else "-")


def length_text(manifest: Manifest) -> str:
    """Format the number and length of lists, as read back where that is known.

    >>> length_text(Manifest(7, "", counts={"list": 2995}))
    '2,995 lists of up to 50'
    >>> lengths = {"shortest_list": 3, "median_list": 48, "full_share": 0.25}
    >>> length_text(Manifest(7, "", counts={"list": 2995}, metrics=lengths))
    '2,995 lists of 3 to 50 items (median 48, 25.0 % full)'
    """
    n_lists, n = manifest.counts.get("list", 0), manifest.list_length
    names = ("shortest_list", "median_list", "full_share")
    shortest, median, full = (manifest.metrics.get(name) for name in names)
    if shortest is None or median is None or full is None:
        return f"{n_lists:,} lists of up to {n}"
    if shortest == n or not n_lists:
        return f"{n_lists:,} lists of {n}"
    found = f"median {median:g}, {100 * full:.1f} % full"
    return f"{n_lists:,} lists of {shortest:g} to {n} items ({found})"


def figure_text(manifest: Manifest) -> str:
    """Format a generation's headline figures."""
    shown = ("coverage", "diversity", "full_share", "top_item_share", "feature_drift", "list_drift")
    figures = [(name.replace("_", " "), manifest.metrics.get(name)) for name in shown]
    lists = f"{manifest.counts.get('list', 0):,} lists"
    return ", ".join(
        [lists, *(f"{name} {value:.3g}" for name, value in figures if value is not None)]
    )


def _state(manifest: Manifest, known: Sequence[Manifest], pinned: int | None) -> str:
    """Format a generation's state, with pin and canary."""
    words = [manifest.state]
    if manifest.generation == pinned:
        words.append("pinned")
    canaries = [each.canary for each in known if each.canary]
    words += [
        f"canary {out.share:g} %" for out in canaries if out.generation == manifest.generation
    ]
    return ", ".join(words)
