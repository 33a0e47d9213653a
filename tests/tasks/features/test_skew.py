"""Feature rows of training and of serving are the same, in Parquet and in Redis."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from redis import Redis

from nightshelf import Shelf
from tests.lookup.shelves import SHOP
from tests.nightshelf_ops.night import make_night


def rows(path: Path, id_column: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a file by id, times as the contract writes them."""
    found = pq.read_table(path).to_pylist()
    return {row.pop(id_column): {k: plain(v) for k, v in row.items()} for row in found}


def plain(value: object) -> object:
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else value


def test_every_feature_row_is_served_as_it_was_computed(
    redis_client: Redis, tmp_path: Path
) -> None:
    make_night(redis_client, tmp_path)
    shelf = Shelf(redis_client, SHOP)
    features = tmp_path / SHOP / "1/features"
    for kind, served in (("user", shelf.user_features), ("item", shelf.item_features)):
        computed = rows(features / f"{kind}s.parquet", f"{kind}_id")
        assert len(computed) > 5
        assert served(list(computed)) == computed
