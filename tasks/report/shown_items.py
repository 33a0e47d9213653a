"""Items and categories of the night, from its catalogue with exposure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.io.duckdb_session import connect, one_file, query

#: Rows of the tables of items, and of that of categories.
_ITEMS, _CATEGORIES = 10, 40
#: Heads of the tables.
MOST_HEADS = ("Item", "Title", "Category", "Lists", "First places", "Lists before")
NEWLY_HEADS = ("Item", "Title", "Category", "Lists", "New in the catalogue")
CATEGORY_HEADS = ("Category", "Items", "Shown", "Coverage", "Share of places", "Share of events")

Row = dict[str, Any]


def item_facts(folder: Path, catalogue: Path) -> dict[str, list[Row]]:
    """Return the most and the newly recommended items, and the categories with their shares.

    Shares of places and events, and the coverage of a category's available items, are 0 to 1.
    """
    path = {"catalogue": one_file(catalogue)}
    some = path | {"n_items": _ITEMS}
    return {
        "most_recommended": rows(folder, "most_recommended", some),
        "newly_recommended": rows(folder, "newly_recommended", some),
        "categories": _with_shares(rows(folder, "categories", path)),
    }


def rows(folder: Path, name: str, parameters: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a statement of the report."""
    with connect(folder) as db:
        found = db.execute(query(f"report/{name}"), parameters)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _with_shares(found: list[Row]) -> list[Row]:
    places, events = (max(sum(row[name] for row in found), 1) for name in ("places", "events"))
    return [
        {
            **{name: row[name] for name in ("category", "items", "shown")},
            "coverage": row["shown"] / row["items"] if row["items"] else None,
            "share_of_places": row["places"] / places,
            "share_of_events": row["events"] / events,
        }
        for row in found[:_CATEGORIES]
    ]
