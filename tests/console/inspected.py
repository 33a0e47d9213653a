"""Additions to a planted shop: a catalogue, lists, odd ids, an experiment, settings."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from redis import Redis

from nightshelf.contract.experiment import Experiment, Variant
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import RankedList
from tests.console.shop import EVIL, ODD_USER
from tests.lookup.experiments import set_live
from tests.lookup.shelves import SHOP

#: Every character that a URL, a form or a page could take for its own.
ODD_ITEM = "it/em?#%&+{x}: \"'<b>y</b>\\ \U0001f600\u00e9"
#: Browsers change line breaks in the fields of a form.
BROKEN_ITEM, BROKEN_USER = "two\nlines", "ann\r\nof\nlines"
ODD_ITEMS, ODD_USERS = (ODD_ITEM, BROKEN_ITEM), (ODD_USER, BROKEN_USER)
CATEGORIES = ("Lamps", EVIL, None)
CATALOGUE = pa.schema(
    [
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("category", pa.string()),
        ("image_url", pa.string()),
        ("available", pa.bool_()),
        ("is_new", pa.bool_()),
        ("is_cold", pa.bool_()),
        ("n_lists", pa.int64()),
        ("n_first", pa.int64()),
        ("n_lists_before", pa.int64()),
        ("n_events", pa.int64()),
    ]
)
TEST = Experiment(
    "exp<b>1",
    2,
    ((0, 8_000),),
    (Variant("now", "als", ((0, 5_000),)), Variant("links", "ease", ((5_000, 10_000),))),
    "2026-01-01T00:00:00+00:00",
)


def row_of(item: str, at: int, **fields: Any) -> dict[str, Any]:
    """Return an item's row of the catalogue, its figures by its number."""
    made = {
        "item_id": item,
        "title": f"Lamp {at}",
        "category": CATEGORIES[at % 3],
        "image_url": None,
        "available": at % 7 != 0,
        "is_new": at % 5 == 1,
        "is_cold": at % 11 == 1,
        "n_lists": at % 4 * 3,
        "n_first": at % 4,
        "n_lists_before": None if at % 2 else at,
        "n_events": at % 13,
    }
    return made | fields


def catalogue(n: int = 60) -> list[dict[str, Any]]:
    """Return the rows of a catalogue: odd ids, markup in titles and categories, plain items."""
    rows = [row_of(f"i{at:03}", at) for at in range(n)]
    rows += [row_of(item, 1, title=f"Odd {EVIL}", category="Odd & co") for item in ODD_ITEMS]
    rows.append(row_of("evil", 3, title=EVIL, category=EVIL))
    return sorted(rows, key=lambda row: str(row["item_id"]))


def write_rows(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> Path:
    """Write rows as Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return path


def inspected(client: Redis, runs: Path, number: int = 2) -> None:
    """Add to a planted shop's live generation all that the pages show."""
    keys, folder = Keys(SHOP), runs / SHOP / str(number)
    write_rows(folder / "catalogue.parquet", catalogue(), CATALOGUE)
    lists = [{"key": user, "item_ids": [ODD_ITEM, BROKEN_ITEM, "evil"]} for user in ODD_USERS]
    schema = pa.schema([("key", pa.string()), ("item_ids", pa.list_(pa.string()))])
    write_rows(folder / "lists/lists.parquet", lists, schema)
    odd = RankedList(
        (ODD_ITEM, BROKEN_ITEM, "evil"),
        (0.9, 0.5, 0.1),
        (("because", ODD_ITEM), ("taste",), ("discover", EVIL)),
    )
    for user in ODD_USERS:
        client.set(keys.list(number, "als", user), odd.to_json())
        row = {"segment": EVIL, "events": 3, "recent_views": [ODD_ITEM]}
        client.set(keys.user(number, user), json.dumps(row))
        client.zadd(keys.recent(user), {json.dumps(["e1", "click", ODD_ITEM]): 1_790_000_000})
    for item in ODD_ITEMS:
        row = {"title": f"Odd {EVIL}", "category": "Odd & co", "available": True}
        client.set(keys.item(number, item), json.dumps(row))
        client.set(keys.similar(number, item), odd.to_json())
    set_live(client, experiments=(TEST,))
    settings = {"topn": {"n": 50, "max_per_category": 2}, "alerts": {"address": "mail://secret"}}
    (folder / "settings.json").write_text(json.dumps(settings))
