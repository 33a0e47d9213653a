"""What a night has added up, as the tables that the statements of the feature rows read."""

import numpy as np
import pyarrow as pa

from tasks.features.aggregate import NEVER, Tally
from tasks.features.arrays import Ints, Longs

#: As DuckDB calls them.
_LIST = pa.list_(pa.field("l", pa.string()))


def user_rows(told: Tally) -> pa.Table:
    """Return the log's users as a table, for `sql/user_features.sql`."""
    users = told.users
    table = pa.table(
        {
            "user_id": told.ids,
            "first_seen": _instants(users.first_us),
            "last_seen": _instants(users.last_us),
            "events": users.events,
            "total_purchases": users.purchases,
            "ratings": users.ratings,
            "rated_high": users.rated_high,
            "rated_low": users.rated_low,
            "number": np.arange(len(told.ids)),
        }
    )
    return table.filter(pa.array(users.events > 0))


def with_lists(
    rows: pa.RecordBatch, told: Tally, item_ids: pa.StringArray, categories: pa.StringArray
) -> pa.RecordBatch:
    """Put favourite categories and recent views in the place of users' numbers, -1 for none."""
    number = rows.column("number").to_numpy()
    lists = (
        ("favorite_categories", told.users.favourites, categories),
        ("recent_views", told.users.recent, item_ids),
    )
    rows = rows.drop_columns(["number"])
    for name, places, names in lists:
        own = np.where(number[:, None] >= 0, places[number], np.int32(-1))
        rows = rows.append_column(pa.field(name, _LIST), _lists(own, names))
    return rows


def item_rows(told: Tally, item_ids: pa.StringArray) -> pa.Table:
    """Return the catalogue's sums as a table, for `sql/item_features.sql`."""
    items = told.items
    return pa.table(
        {
            "item_id": item_ids,
            "first_seen": _instants(items.first_us),
            "points_high": items.points_high,
            "points_low": items.points_low,
            "ratings": items.ratings,
            "rated_high": items.rated_high,
            "rated_low": items.rated_low,
        }
    )


def _instants(us: Longs) -> pa.Array:
    """Return microseconds as timestamps, null where there was nothing."""
    return pa.array(us, pa.int64(), mask=us == NEVER).view(pa.timestamp("us"))


def _lists(places: Ints, names: pa.StringArray) -> pa.ListArray:
    """Return each row's names, as far as they go: -1 is none."""
    named = places >= 0
    offsets = np.concatenate(([0], np.cumsum(named.sum(axis=1)))).astype(np.int32)
    values = names.take(pa.array(places[named]))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=_LIST)
