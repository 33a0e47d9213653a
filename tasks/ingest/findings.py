"""Warnings about a log: each a sentence with a count, a sample and the remedy."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import duckdb

from tasks.io.duckdb_session import query

#: Events sampled for repeated ones and for user ids of another form.
_LOOKED_THROUGH = 100_000
#: Share of events repeated within so many seconds that suggests a log read twice.
_SOON_S = 5
_MAX_SOON_SHARE = 0.05
#: Share of events repeated after one gap of whole quarters of an hour: a log read twice.
_MAX_GAP_SHARE = 0.1
#: Age of the last event at `as_of` from which on a log counts as old.
_OLD = timedelta(days=3)

#: Characters of an address that a sentence shows.
_SHOWN = 100

#: An id without differences between exports of one column: 007, 7.0, ' 7', '"7"', A7.
_PLAIN_ID = """
CREATE TEMP MACRO plain_id(id) AS
    regexp_replace(regexp_replace(lower(trim(id, ' "''')), '\\.0+$', ''), '^0+([0-9])', '\\1')
"""


def find_all(db: duckdb.DuckDBPyConnection, as_of: datetime, n_events: int) -> Iterator[str]:
    """Yield the findings of the validated tables, with `n_events` distinct good events."""
    db.execute(_PLAIN_ID)
    parts = max(1, n_events // _LOOKED_THROUGH)
    yield from _times(db)
    yield from _items(db)
    yield from _users(db, parts)
    yield from _prices(db)
    yield from _images(db)
    yield from _old_log(db, as_of)
    yield from _repeats(db, parts)


def _times(db: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for relation, column, n, sample in db.execute(query("ingest/find_times")).fetchall():
        if n:
            yield (
                f"{relation}: {n:,} values of {column} are no time, as '{sample}'. Write ISO 8601 "
                "with an offset or Z (2024-07-01T10:00:00+01:00), or a timestamp, in years 1 to "
                "9999; names of zones are not read"
            )


def _items(db: duckdb.DuckDBPyConnection) -> Iterator[str]:
    (found,) = _rows(db, "find_unknown_items")
    if found["n_ids"]:
        theirs, ours = found["sample"]
        yield (
            f"events: {found['n_rows']:,} rows are of {found['n_ids']:,} unknown items that the "
            f"catalogue has in another form, as '{theirs}' where the catalogue has '{ours}' "
            f"({found['n_all']:,} items are unknown in all). Ids are text, always: write them "
            "alike in both"
        )


def _users(db: duckdb.DuckDBPyConnection, parts: int) -> Iterator[str]:
    (found,) = _rows(db, "find_unknown_users", parts=parts)
    if found["n_ids"]:
        theirs, ours = found["sample"]
        yield (
            f"users: {found['n_ids'] * parts:,} users of events{' or so' * (parts > 1)} stand in "
            f"the users file in another form, as '{theirs}' where it has '{ours}', and so have no "
            "segment. Ids are text, always: write them alike in both"
        )


def _prices(db: duckdb.DuckDBPyConnection) -> Iterator[str]:
    (found,) = _rows(db, "find_prices")
    if found["n"]:
        item, price = found["sample"]
        yield (
            f"items: {found['n']:,} prices are negative or not finite, as {price} of item "
            f"'{item}'; the items are kept, without a price"
        )


def _images(db: duckdb.DuckDBPyConnection) -> Iterator[str]:
    (found,) = _rows(db, "find_images")
    if found["n"]:
        item, address = found["sample"]
        yield (
            f"items: {found['n']:,} addresses of pictures are neither http(s) nor relative, or "
            f"hold spaces, as '{address[:_SHOWN]}' of item '{item}'; the items are kept, without a "
            "picture. Write image_url as https://..., or as a path"
        )


def _old_log(db: duckdb.DuckDBPyConnection, as_of: datetime) -> Iterator[str]:
    last = db.execute("SELECT max(ts) FROM good_events").fetchall()[0][0]
    if last is None:
        return
    age = as_of - last.replace(tzinfo=UTC)
    if age > _OLD:
        after = datetime.combine(last.date() + timedelta(days=1), time(), UTC)
        yield (
            f"events: the last is of {last:%Y-%m-%d %H:%M}, {age.days:,} days before as_of "
            f"({as_of.astimezone(UTC):%Y-%m-%d %H:%M}), and counts for less with every day of "
            f"them. For a log that ended then: --as-of {after:%Y-%m-%d}"
        )


def _repeats(db: duckdb.DuckDBPyConnection, parts: int) -> Iterator[str]:
    (found,) = _rows(db, "find_repeats", parts=parts, seconds=_SOON_S)
    n = max(found["n"], 1)
    soon, same = found["n_soon"] / n, (found["n_commonest"] or 0) / n
    if soon < _MAX_SOON_SHARE and same < _MAX_GAP_SHARE:
        return
    often = (
        f"{soon:.0%} of them repeat the same user, item and type within {_SOON_S} s"
        if soon >= _MAX_SOON_SHARE
        else f"{same:.0%} of them repeat the same user, item and type after {found['gap']}"
    )
    yield (
        f"events: {often}, as {found['user_id']}, {found['item_id']}, {found['event_type']} at "
        f"{found['ts']}. Is a part of the log there twice? Leave it out, or give both the same "
        "event_id"
    )


def _rows(db: duckdb.DuckDBPyConnection, name: str, **parameters: int) -> list[dict[str, Any]]:
    found = db.execute(query(f"ingest/{name}"), parameters)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
