"""Tables of ``nightshelf diff``, from its JSON document (needs rich)."""

from collections.abc import Mapping, Sequence
from typing import Any

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.text import minute_text, size_text

_Row = Mapping[str, Any]


def show_diff(document: _Row) -> None:
    """Print the document: manifests, moves by segment, items, and the most changed users."""
    a, b = (str(document[side]["generation"]) for side in ("a", "b"))
    _show_manifests(document)
    _show_moves(document, a, b)
    _show_items(f"entered: lists of {b} show them, none of {a} did", document, "entered", a, b)
    _show_items(f"left: lists of {a} showed them, none of {b} does", document, "left", a, b)
    _show_items("shown by another share of the lists than before", document, "shifts", a, b)
    for user in document["changed"]:
        _show_user(user, a, b)


def _show_manifests(document: _Row) -> None:
    sides = [document["a"], document["b"]]
    same = {True: "same", False: "different", None: "unknown"}[document["same_config"]]
    names = [f"generation {side['generation']}" for side in sides]
    table = new_table("", *names, right=names)
    add_row(table, "state", *(side["state"] for side in sides))
    add_row(table, "as of", *(minute_text(side["as_of"]) for side in sides))
    for name in ("lists", "keys"):
        add_row(table, name, *(f"{side[name]:,}" for side in sides))
    add_row(table, "bytes", *(size_text(side["bytes"]) for side in sides))
    add_row(table, "config", *(side["config_hash"][:8] or "-" for side in sides))
    if any(side["choice"] for side in sides):
        add_row(table, "blend", *(_numbers(side["choice"], "weights") for side in sides))
        add_row(
            table, "half-lives", *(_numbers(side["choice"], "half_lives_days") for side in sides)
        )
    new_console().print(table)
    show_line(f"Config: {same}. Times are UTC")


def _numbers(choice: _Row | None, name: str) -> str:
    """Return the weights or half-lives of a blend: als 1, graph 1, popular 0.25."""
    return ", ".join(f"{key} {value:g}" for key, value in choice[name].items()) if choice else "-"


def _show_moves(document: _Row, a: str, b: str) -> None:
    names = ["users", f"only {a}", f"only {b}", "Jaccard", "RBO", "identical", "1st changed"]
    table = new_table("segment", *names, right=names)
    for row in ({"segment": "everyone", **document["overall"]}, *document["segments"]):
        counts = (f"{row[name]:,}" for name in ("users", "only_a", "only_b"))
        means = (_mean(row[name]) for name in ("jaccard", "rank_biased_overlap"))
        shares = (_share(row[name]) for name in ("identical", "first_changed"))
        add_row(table, row["segment"], *counts, *means, *shares)
    show_line("")
    new_console().print(table)
    show_line("Jaccard and RBO (rank-biased overlap): 1 is the same list, 0 has nothing in common")
    found, read = document["users_found"], document["users_read"]
    if read < found:
        show_line(f"A sample: {read:,} of {found:,} users")
    corrupt = document["corrupt"]
    if corrupt["count"]:
        named = ", ".join(corrupt["keys"])
        more = " and more" if corrupt["count"] > len(corrupt["keys"]) else ""
        show_line(f"Left out, {corrupt['count']:,} lists that cannot be read: {named}{more}")


def _show_items(what: str, document: _Row, name: str, a: str, b: str) -> None:
    rows: Sequence[_Row] = document[name]
    total = document[f"n_{name}"]
    first = f"; the first {len(rows)}" if len(rows) < total else ""
    show_line("")
    show_line(f"{total:,} {'item' if total == 1 else 'items'} {what}{first}")
    if not rows:
        return
    numbers = [f"lists {a}", f"lists {b}", f"share {a}", f"share {b}", "difference"]
    table = new_table("item", "title", *numbers, right=numbers)
    for row in rows:
        lists = (f"{row[side]:,}" for side in ("a_lists", "b_lists"))
        shares = (f"{row[side]:.2%}" for side in ("a_share", "b_share"))
        points = f"{100 * row['difference']:+.2f} pp"
        add_row(table, row["item_id"], row["title"] or "-", *lists, *shares, points)
    new_console().print(table)


def _show_user(user: _Row, a: str, b: str) -> None:
    overlap = f"RBO {user['rank_biased_overlap']:.3f}, Jaccard {user['jaccard']:.3f}"
    show_line("")
    show_line(f"User {user['user']} (segment {user['segment']}): {overlap}")
    table = new_table("rank", a, "to", b, "from", right=("rank",))
    for row in user["ranks"]:
        cells = (*_cell(row["a"], "to"), *_cell(row["b"], "from"))
        add_row(table, str(row["rank"]), *cells)
    new_console().print(table)


def _cell(item: _Row | None, way: str) -> tuple[str, str]:
    """Return an item with its title, and its mark: stayed, moved to a rank, entered or left."""
    if item is None:
        return "-", ""
    name = " ".join(filter(None, (item["item_id"], item["title"])))
    return name, f"{way} {item[way]}" if item["mark"] == "moved" else item["mark"]


def _mean(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
