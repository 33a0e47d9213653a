"""Tables of lists: a recommendation a row, and the list's source."""

from collections.abc import Mapping, Sequence
from typing import Any

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.client.results import Result
from nightshelf.text import age_text, reason_text

#: Remedy where nothing is live.
PUBLISH = "run the nightly flow to publish"


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
            "words": reason_text(item.reason, titles),
        }
        for rank, item in enumerate(result.items, start=1)
    ]


def show_list(
    result: Result, rows: Sequence[Mapping[str, Any]], asked: str, *, fallback: bool
) -> None:
    """Print a list as a table, and its source."""
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
    age = f"published {age_text(result.age_s)} ago"
    show_line(f"source {result.source}, generation {result.generation}{made}, {age}")
    if result.experiment:
        forced = ", as asked for" if result.forced else ""
        phase = f"experiment {result.experiment}, phase {result.phase}"
        show_line(f"{phase}, variant {result.variant}{forced}")
