from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from data.sample_shop.catalogue import SCHEMA, make_catalogue
from data.sample_shop.csv_copy import write_csv
from data.sample_shop.shop import Shop, ShopSettings, favourites, make_shop
from data.sample_shop.vocabulary import N_STYLES, WORDS
from data.schema import EVENTS, USERS, InputError

END = datetime(2026, 3, 1, tzinfo=UTC)
SMALL = ShopSettings(n_users=300, n_items=200, n_categories=8, n_days=20)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def db(shop: Shop) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.read_parquet(f"{shop.events}/*/*.parquet", hive_partitioning=True).to_table("events")
        db.read_parquet(str(shop.items)).to_table("items")
        db.read_parquet(str(shop.users)).to_table("users")
        yield db


def one(db: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    (row,) = db.sql(query).fetchall()
    return tuple(row)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_same_settings_same_bytes_and_another_seed_another_shop(tmp_path: Path) -> None:
    make_shop(tmp_path / "one", SMALL)
    make_shop(tmp_path / "two", SMALL)
    make_shop(tmp_path / "two", SMALL)
    other = ShopSettings(n_users=300, n_items=200, n_categories=8, n_days=20, seed=8)
    make_shop(tmp_path / "other", other)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert all(
        files(tmp_path / "one")[name] != raw for name, raw in files(tmp_path / "other").items()
    )


def test_columns_and_types_are_of_the_contract(shop: Shop) -> None:
    parts = sorted(shop.events.glob("date=*/part-0.parquet"))
    assert len(parts) == 90
    assert all(pq.read_schema(part).equals(EVENTS) for part in parts)
    assert pq.read_schema(shop.items).equals(SCHEMA)
    assert pq.read_schema(shop.users).equals(USERS)


def test_counts_are_what_is_on_disk(shop: Shop, db: duckdb.DuckDBPyConnection) -> None:
    kinds = db.sql("SELECT event_type, count(*) FROM events GROUP BY event_type").fetchall()
    assert dict(kinds) == shop.event_types
    assert one(db, "SELECT count(*) FROM events") == (shop.n_events,)
    assert one(db, "SELECT count(*) FROM items") == (shop.n_items,) == (1_500,)
    assert one(db, "SELECT count(*) FROM users") == (shop.n_users,) == (5_000,)
    assert 200_000 <= shop.n_events <= 400_000


def test_each_event_lies_in_the_partition_of_its_day(db: duckdb.DuckDBPyConnection) -> None:
    assert one(db, "SELECT count(*) FROM events WHERE CAST(ts AS DATE) <> date") == (0,)
    assert one(db, "SELECT min(date), max(date) FROM events") == (
        date(2025, 12, 1),
        date(2026, 2, 28),
    )


def test_no_day_stands_out(db: duckdb.DuckDBPyConnection) -> None:
    counts = [n for (n,) in db.sql("SELECT count(*) FROM events GROUP BY date").fetchall()]
    assert max(counts) < 2.5 * sorted(counts)[len(counts) // 2]


def test_users_keep_to_their_favourites(db: duckdb.DuckDBPyConnection) -> None:
    truth = favourites()
    counts = db.sql(
        "SELECT user_id, category, count(*) FROM events JOIN items USING (item_id) "
        "WHERE user_id IS NOT NULL GROUP BY ALL"
    ).fetchall()
    inside = sum(n for user, category, n in counts if category in truth[user])
    share = inside / sum(n for _, _, n in counts)
    by_chance = sum(map(len, truth.values())) / len(truth) / 24
    assert by_chance < 0.11
    assert share > 0.75
    assert {len(liked) for liked in truth.values()} == {1, 2, 3, 4}
    assert all(len(set(liked)) == len(liked) for liked in truth.values())


def test_within_a_favourite_one_style_is_loved(db: duckdb.DuckDBPyConnection) -> None:
    (share,) = one(
        db,
        "WITH looks AS (SELECT user_id, category, tags[1] AS style, count(*) AS n "
        "FROM events JOIN items USING (item_id) WHERE user_id IS NOT NULL GROUP BY ALL), "
        "most AS (SELECT max(n) / sum(n) AS share FROM looks GROUP BY user_id, category "
        "HAVING sum(n) >= 50) SELECT avg(share) FROM most",
    )
    assert share > 2.5 / N_STYLES


def test_activity_and_popularity_are_heavy_tailed(db: duckdb.DuckDBPyConnection) -> None:
    db.sql("SELECT count(*) AS n FROM events WHERE user_id IS NOT NULL GROUP BY user_id").to_view(
        "activity"
    )
    few, many, median = one(
        db,
        "SELECT count_if(n BETWEEN 2 AND 5), count_if(n >= 300), median(n) FROM activity",
    )
    assert few > 500
    assert many > 100
    assert median < 30
    assert 0 < 5_000 - one(db, "SELECT count(*) FROM activity")[0] < 700
    (top,) = one(
        db,
        "SELECT sum(n) FILTER (place <= 75) / sum(n) FROM (SELECT count(*) AS n, "
        "row_number() OVER (ORDER BY count(*) DESC) AS place FROM events GROUP BY item_id)",
    )
    assert 0.15 < top < 0.6


def test_nothing_happens_before_it_can(db: duckdb.DuckDBPyConnection) -> None:
    early = "SELECT count(*) FROM events AS e JOIN {0}s USING ({0}_id) WHERE e.ts < {0}s.created_at"
    assert one(db, early.format("item")) == (0,)
    assert one(db, early.format("user")) == (0,)
    assert one(db, "SELECT count(*) FROM events WHERE arrived_at <= ts") == (0,)
    hours, late = one(
        db,
        "SELECT max(arrived_at - ts) > INTERVAL 12 HOUR, count_if(arrived_at > ts + "
        "INTERVAL 1 HOUR) / count(*) FROM events",
    )
    assert hours
    assert 0.005 < late < 0.02
    assert (
        one(db, "SELECT count(*) FROM items WHERE created_at > TIMESTAMPTZ '2026-02-15 00:00Z'")[0]
        > 20
    )


def test_a_purchase_follows_its_cart_and_a_cart_its_view(db: duckdb.DuckDBPyConnection) -> None:
    follows = (
        "SELECT count(*) FROM events AS a WHERE a.event_type = '{}' AND NOT EXISTS ("
        "FROM events AS b WHERE b.event_type = '{}' AND b.session_id = a.session_id "
        "AND b.ts < a.ts AND (b.item_id = a.item_id OR a.item_id LIKE 'x%' OR b.item_id LIKE 'x%'))"
    )
    assert one(db, follows.format("add_to_cart", "view")) == (0,)
    assert one(db, follows.format("purchase", "add_to_cart")) == (0,)


def test_values_are_ratings_and_revenue(db: duckdb.DuckDBPyConnection) -> None:
    kinds = db.sql(
        "SELECT event_type, min(value), max(value), count(*) - count(value) FROM events "
        "GROUP BY event_type"
    ).fetchall()
    low_high = {kind: (low, high) for kind, low, high, _ in kinds}
    assert (low_high["like"], low_high["rating"]) == ((4, 5), (3, 3))
    assert low_high["dislike"] == (1, 2)
    assert low_high["return"][1] < 0 < low_high["purchase"][0]
    assert {kind for kind, _, _, missing in kinds if missing} == {
        *("view", "add_to_cart", "wishlist_add"),
    }
    paid = "SELECT count(*) FROM events JOIN items USING (item_id) WHERE event_type = 'purchase' "
    assert one(db, paid + "AND value <> price") == (0,)


def test_a_little_dirt_is_planted(shop: Shop, db: duckdb.DuckDBPyConnection) -> None:
    twice, nobody, unknown = one(
        db,
        "SELECT count(*) - count(DISTINCT event_id), count_if(user_id IS NULL), "
        "count_if(item_id NOT IN (SELECT item_id FROM items)) FROM events",
    )
    for count in (twice, nobody, unknown):
        assert 0.0001 < count / shop.n_events < 0.001
    alike = one(
        db,
        "SELECT count(*) FROM (SELECT event_id FROM events GROUP BY event_id HAVING count(*) > 1 "
        "AND count(DISTINCT (user_id, item_id, event_type, ts)) = 1 "
        "AND count(DISTINCT arrived_at) = 2)",
    )
    assert alike == (twice,)


def test_the_catalogue_reads_like_a_shop(db: duckdb.DuckDBPyConnection) -> None:
    assert one(db, "SELECT count(DISTINCT title), count(DISTINCT category) FROM items") == (
        1_500,
        24,
    )
    assert one(db, "SELECT count(*) FROM items WHERE title = 'Walnut Chess Set'") == (1,)
    low, high, away = one(db, "SELECT min(price), max(price), count_if(NOT available) FROM items")
    assert 0 < low < high < 500
    assert 15 < away < 90
    for styles, things in WORDS.values():
        assert len(set(styles.split(", "))) == N_STYLES
        assert len(set(things.split(", "))) == 12


def test_draws_follow_popularity_within_the_slice() -> None:
    rng = np.random.default_rng(1)
    items = make_catalogue(rng, 96, 4, 0)
    n = 40_000
    for category, style in ((2, 3), (3, -1), (-1, -1)):
        drawn = items.draw(rng, np.full(n, category), np.full(n, style))
        fits = np.ones(96, dtype=bool)
        if category >= 0:
            fits &= items.category == category
        if style >= 0:
            fits &= items.style == style
        expected = np.where(fits, items.wanted, 0) / items.wanted[fits].sum()
        share = np.bincount(drawn, minlength=96) / n
        assert np.all(share[~fits] == 0)
        assert np.abs(share - expected).max() < 0.015


def test_settings_that_cannot_be_met_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected 1 to 24"):
        make_shop(tmp_path, ShopSettings(n_categories=25))
    with pytest.raises(InputError, match="need 144 or more"):
        make_shop(tmp_path, ShopSettings(n_items=100))


def test_a_folder_with_another_log_is_left_alone(tmp_path: Path) -> None:
    make_shop(tmp_path, SMALL)
    before = files(tmp_path)
    shorter = ShopSettings(n_users=300, n_items=200, n_categories=8, n_days=10)
    with pytest.raises(InputError, match="empty folder"):
        make_shop(tmp_path, shorter)
    assert files(tmp_path) == before


def test_the_csv_has_every_row_of_the_log(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, SMALL)
    first = write_csv(tmp_path).read_bytes()
    lines = first.decode().splitlines()
    assert lines[0] == "customer,sku,title,department,event,happened_at"
    assert len(lines) == 1 + shop.n_events
    times = [line.rpartition(",")[2] for line in lines[1:]]
    assert times == sorted(times)
    assert all(datetime.fromisoformat(time).tzinfo == UTC for time in times[:100])
    assert write_csv(tmp_path).read_bytes() == first
    assert not list(tmp_path.glob("*.partial"))
