"""The soak's shop: each night has a catalogue of its own, so that an answer tells which it is of.

A third of the items is available in a night, another third in the next, and every title ends with
the number of its night's catalogue.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.sample_shop.shop import ShopSettings, make_shop

NAMESPACE = "soak"
_TURNS = 3
_MARK = " #"


def open_shop(folder: Path) -> None:
    """Make the log up to the last midnight, the catalogue and the users."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    make_shop(folder / "shop", ShopSettings(n_users=200, n_items=300, n_days=21, end=today))


def catalogue(folder: Path, turn: int) -> Path:
    """Write the catalogue of a night and return its path."""
    items = pq.read_table(folder / "shop/items.parquet")
    places = range(items.num_rows)
    available = pa.array([at % _TURNS == turn % _TURNS for at in places], pa.bool_())
    titles = pa.array([f"{title}{_MARK}{turn}" for title in items["title"].to_pylist()])
    for name, values in (("available", available), ("title", titles)):
        items = items.set_column(items.schema.get_field_index(name), name, values)
    path = folder / f"items-{turn}.parquet"
    pq.write_table(items, path, write_page_checksum=True)
    return path


def night_of(title: str) -> str:
    """Return the number of the night's catalogue that a title is of."""
    return title.rpartition(_MARK)[2]


@cache
def available_in(folder: Path, generation: int) -> tuple[frozenset[str], str]:
    """Return the items that a generation may show, and its catalogue's number, from its run."""
    items = pq.read_table(folder / f"runs/{NAMESPACE}/{generation}/items.parquet").to_pylist()
    shown = frozenset(row["item_id"] for row in items if row["available"])
    return shown, night_of(items[0]["title"])


def user_ids(folder: Path) -> list[str]:
    """Return the shop's users."""
    ids: list[str] = pq.read_table(folder / "shop/users.parquet")["user_id"].to_pylist()
    return ids


def item_ids(folder: Path) -> list[str]:
    """Return the shop's items."""
    ids: list[str] = pq.read_table(folder / "shop/items.parquet")["item_id"].to_pylist()
    return ids
