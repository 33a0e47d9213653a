"""What the command ``nightshelf`` shows at a terminal (needs rich)."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from nightshelf.admin.namespace_state import World
from nightshelf.client.results import Result, Status
from nightshelf.contract.values import Manifest, instant
from nightshelf.text import age_words, reason_words, size_words

#: What to do where nothing is live.
PUBLISH = "run the nightly flow to publish"
#: What a narrow terminal must leave a column, so that it breaks at spaces alone.
_WIDTHS = {"state": 9, "as of": 10, "published": 10, "bytes": 7, "digest": 8}


def rows(result: Result, features: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join a list with its items' titles and categories (null where unknown), rank from 1."""
    titles = {item_id: str(row["title"]) for item_id, row in features.items() if row.get("title")}
    return [
        {
            "rank": rank,
            "item_id": item.item_id,
            "title": titles.get(item.item_id),
            "category": features.get(item.item_id, {}).get("category"),
            "score": item.score,
            "reason": item.reason,
            "words": reason_words(item.reason, titles),
        }
        for rank, item in enumerate(result.items, start=1)
    ]


def show_list(
    result: Result, rows: Sequence[Mapping[str, Any]], asked: str, *, fallback: bool
) -> None:
    """Print a list as a table, and where it comes from."""
    table = new_table(
        "rank", "item", "title", "category", "score", "reason", right=("rank", "score")
    )
    for row in rows:
        title, category = (str(row[name] or "-") for name in ("title", "category"))
        score = f"{row['score']:.4g}"
        add_row(table, str(row["rank"]), row["item_id"], title, category, score, row["words"])
    new_console().print(table)
    if fallback:
        show_line(f"{asked} has no list of its own here: this is a fallback")
    made = f", model {result.model}" if result.model else ""
    age = f"published {age_words(result.age_s)} ago"
    show_line(f"source {result.source}, generation {result.generation}{made}, {age}")


def show_status(status: Status, namespace: str, place: str) -> None:
    """Print what is live, and the states of the rest."""
    show_line(f"{namespace} on {status.server or 'a server'} at {place}")
    if status.live is None:
        show_line(f"Nothing is live: {PUBLISH}")
    else:
        live = status.live
        age = f"published {age_words(status.age_s)} ago"
        show_line(
            f"Live: generation {live.generation}, as of {minute_words(live.as_of)} UTC, {age}"
        )
        show_line(f"{length_words(live)} by {', '.join(live.models)}")
    if status.live and status.live.canary and status.canary:
        out = status.live.canary
        show_line(f"Canary: generation {out.generation} for {out.share:g} % of the users")
        for manifest in (status.live, status.canary):
            show_line(f"  {manifest.generation}: {figure_words(manifest)}")
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
            minute_words(manifest.as_of),
            minute_words(manifest.published_at),
            f"{manifest.counts.get('list', 0):,}",
            size_words(manifest.n_bytes),
            manifest.digest[:8] or "-",
            gate_words(manifest),
        )
    new_console().print(table)
    show_line("Times are UTC")


def plan_words(before: World, after: World) -> str:
    """Say what a change of the world would do."""
    parts = []
    if after.live is not None and not before.is_live(after.live.generation):
        back = before.live is not None and after.live.generation < before.live.generation
        way = "back to" if back else "on to"
        left = _generation(before.live) if before.live else "nothing live"
        parts.append(f"from {left} {way} {_generation(after.live)}")
    if before.canary and not after.canary:
        parts.append(f"the canary of generation {before.canary.generation} ends")
    if after.canary and after.canary != before.canary:
        out = after.canary
        parts.append(f"generation {out.generation} as a canary for {out.share:g} % of the users")
    for old, new in zip(before.manifests, after.manifests, strict=True):
        if new.state == "bad" != old.state:
            parts.append(f"generation {new.generation} is marked bad")
    if after.pinned != before.pinned and after.pinned is not None:
        parts.append(f"pinned to generation {after.pinned}: no night goes live")
    elif after.pinned != before.pinned:
        parts.append(f"no longer pinned to generation {before.pinned}: the next night goes live")
    return f"{before.namespace}: {'; '.join(parts)}"


def forward_words(before: World, after: World) -> str:
    """Say how to go forward again to what a rollback has left; empty where there is no such way."""
    left = before.live
    if left is None or after.is_live(left.generation):
        return ""
    if after.find(left.generation).state == "bad":
        return f"Generation {left.generation} never goes live again; the next night does"
    where = "" if after.namespace == "shop" else f" -s {after.namespace}"
    promote = f"nightshelf promote {left.generation}{where}"
    if after.pinned is not None:
        return f"Forward again: nightshelf unpin{where}, then {promote}, or the next night"
    return f"Forward again: {promote}, or the next night"


def live_words(world: World) -> str:
    """Say what is live, and whether it is held."""
    if world.live is None:
        return f"{world.namespace}: nothing is live"
    held = ", pinned" if world.pinned is not None else ""
    out = world.canary
    beside = f", {out.generation} a canary for {out.share:g} %" if out else ""
    return f"{world.namespace}: generation {world.live.generation} is live{held}{beside}"


def extend_words(namespace: str, manifest: Manifest) -> str:
    """Say what extending would do."""
    ttl = age_words(manifest.ttl_s)
    return f"{namespace}: every key of {_generation(manifest)} gets its TTL of {ttl} again"


def retire_words(namespace: str, manifest: Manifest) -> str:
    """Say what retiring would do."""
    n_keys = sum(manifest.counts.values())
    return f"{namespace}: delete the {n_keys:,} keys of {_generation(manifest)}, for good"


def show_line(text: str) -> None:
    """Print one plain line."""
    new_console().print(plain(text), soft_wrap=True)


def show_error(text: str) -> None:
    """Print one red line to stderr."""
    new_console(stderr=True).print(plain(text), style="red", soft_wrap=True)


def new_table(*names: str, right: Sequence[str]) -> Table:
    """Begin a table; the columns in `right` hold numbers."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold", min_width=_WIDTHS.get(name))
        if name in right:
            table.columns[-1].justify = "right"
    return table


def add_row(table: Table, *cells: str) -> None:
    """Add a row of plain text."""
    table.add_row(*map(plain, cells))


def new_console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr as they are now."""
    # Made anew so that it follows sys.stdout; titles are no markup.
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def plain(text: str) -> str:
    """Replace control characters: a title must not steer the terminal."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def gate_words(manifest: Manifest) -> str:
    """Say which gates warned or blocked, or that all passed."""
    told = {
        outcome: [name for name, found in sorted(manifest.gates.items()) if found == outcome]
        for outcome in ("block", "warn")
    }
    words = "; ".join(f"{outcome}: {', '.join(names)}" for outcome, names in told.items() if names)
    return words or ("passed" if manifest.gates else "-")


def length_words(manifest: Manifest) -> str:
    """Say how many lists there are, and how long; as they were read back, where that is known.

    >>> length_words(Manifest(7, "", counts={"list": 2995}))
    '2,995 lists of up to 50'
    >>> lengths = {"shortest_list": 3, "median_list": 48, "full_share": 0.25}
    >>> length_words(Manifest(7, "", counts={"list": 2995}, metrics=lengths))
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


def figure_words(manifest: Manifest) -> str:
    """Say what a generation's lists are like, in its headline figures."""
    shown = ("coverage", "diversity", "full_share", "top_item_share")
    figures = [(name.replace("_", " "), manifest.metrics.get(name)) for name in shown]
    lists = f"{manifest.counts.get('list', 0):,} lists"
    return ", ".join(
        [lists, *(f"{name} {value:.3g}" for name, value in figures if value is not None)]
    )


def _state(manifest: Manifest, known: Sequence[Manifest], pinned: int | None) -> str:
    """Name a generation's state, and what is special about it."""
    words = [manifest.state]
    if manifest.generation == pinned:
        words.append("pinned")
    canaries = [each.canary for each in known if each.canary]
    words += [
        f"canary {out.share:g} %" for out in canaries if out.generation == manifest.generation
    ]
    return ", ".join(words)


def _generation(manifest: Manifest) -> str:
    return f"generation {manifest.generation} (as of {minute_words(manifest.as_of)})"


def minute_words(text: str) -> str:
    """Shorten a time to its minute, or its day at midnight."""
    time = instant(text)
    if time is None:
        return text or "-"
    minute = time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return minute.removesuffix(" 00:00")
