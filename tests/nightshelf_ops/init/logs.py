"""Small logs in the forms in which others publish theirs, by a seed; users have planted tastes."""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

START = datetime(2024, 3, 1, tzinfo=UTC)
N_USERS, N_ITEMS, N_CATEGORIES, N_DAYS = 160, 120, 12, 40


@dataclass(frozen=True)
class Act:
    """An event: numbers of user and item, kind (0 view, 1 cart, 2 purchase) and time."""

    user: int
    item: int
    kind: int
    at: datetime


def category(item: int) -> int:
    return item % N_CATEGORIES


def acts(seed: int = 1, n_users: int = N_USERS) -> list[Act]:
    """Return events in the order of time: each user likes three categories."""
    rng = random.Random(seed)
    found = []
    for user in range(n_users):
        liked = rng.sample(range(N_CATEGORIES), 3)
        for _ in range(rng.randint(6, 40)):
            item = rng.randrange(N_ITEMS)
            if rng.random() < 0.8:
                item = item - category(item) + rng.choice(liked)
            at = START + timedelta(seconds=rng.randrange(N_DAYS * 86_400), milliseconds=117)
            kind = rng.choices((0, 1, 2), (7, 2, 1))[0]
            found.append(Act(user, item % N_ITEMS, kind, at))
    return sorted(found, key=lambda each: (each.at, each.user, each.item))


def _write(path: Path, lines: Iterator[str] | list[str], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def retail_rocket(folder: Path) -> int:
    """Milliseconds, `view/addtocart/transaction`, properties a row, a tree of categories."""
    kinds = ("view", "addtocart", "transaction")
    done = acts()
    rows = [
        f"{ms(a.at)},{a.user},{kinds[a.kind]},{a.item},{n if a.kind == 2 else ''}"
        for n, a in enumerate(done)
    ]
    _write(folder / "events.csv", ["timestamp,visitorid,event,itemid,transactionid", *rows])
    properties = []
    for item in range(N_ITEMS - 2):  # two items have none
        for week in range(2):
            at = ms(START + timedelta(days=7 * week))
            properties.append(f"{at},{item},categoryid,{1000 + category(item + 1 - week)}")
            properties.append(f"{at},{item},available,{int(item % 10 != 0)}")
            properties.append(f"{at},{item},790,n{item}.000")
    half = len(properties) // 2
    for part, rows in enumerate((properties[:half], properties[half:]), 1):
        _write(
            folder / f"item_properties_part{part}.csv", ["timestamp,itemid,property,value", *rows]
        )
    tree = [f"{1000 + c},{c % 3}" for c in range(N_CATEGORIES)]
    _write(folder / "category_tree.csv", ["categoryid,parentid", *tree])
    return len(done)


def yoochoose(folder: Path) -> int:
    """Two files without a header: a session's clicks, and what it bought with price and number."""
    done = acts()
    clicks = [a for a in done if a.kind < 2]
    buys = [a for a in done if a.kind == 2]

    def when(at: datetime) -> str:
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"

    _write(
        folder / "clicks.dat",
        [
            f"{a.user + 1},{when(a.at)},{214500000 + a.item},{'S' if a.item % 7 else 0}"
            for a in clicks
        ],
    )
    _write(
        folder / "buys.dat",
        [
            f"{a.user + 1},{when(a.at)},{214500000 + a.item},{100 + a.item * 37},{1 + a.item % 3}"
            for a in buys
        ],
    )
    return len(done)


def instacart(folder: Path) -> int:
    """Orders without dates, their lines, products and departments."""
    rng = random.Random(3)
    orders = [
        "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order"
    ]
    lines, n_lines = ["order_id,product_id,add_to_cart_order,reordered"], 0
    order = 0
    for user in range(1, N_USERS + 1):
        habit = rng.sample(range(N_ITEMS), 12)
        for number in range(1, rng.randint(4, 12)):
            order += 1
            days = "" if number == 1 else f"{rng.randint(2, 14)}.0"
            orders.append(
                f"{order},{user},prior,{number},{order % 7},{rng.randrange(24):02d},{days}"
            )
            chosen = sorted({*rng.sample(habit, 4), rng.randrange(N_ITEMS)})
            lines += [f"{order},{1 + item},{place},1" for place, item in enumerate(chosen, 1)]
            n_lines += len(chosen)
    _write(folder / "orders.csv", orders)
    _write(folder / "order_products__prior.csv", lines)
    products = [
        f'{1 + i},"Product {i}, the best",{1 + i % 40},{1 + category(i)}' for i in range(N_ITEMS)
    ]
    _write(folder / "products.csv", ["product_id,product_name,aisle_id,department_id", *products])
    names = [f"{1 + c},department {c}" for c in range(N_CATEGORIES)]
    _write(folder / "departments.csv", ["department_id,department", *names])
    return n_lines


def _mbid(kind: str, number: int) -> str:
    return f"{random.Random(f'{kind}{number}').getrandbits(128):032x}"


def _uuid(kind: str, number: int) -> str:
    text = _mbid(kind, number)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def last_fm(folder: Path) -> int:
    """Plays with tabs, without a header, newest first; names with quotes; some without a track."""
    done = acts(n_users=60)
    rows, n_kept = [], 0
    for n, a in enumerate(sorted(done, key=lambda a: (a.user, -a.at.timestamp()))):
        artist = a.item % 30
        track = "" if n % 50 == 7 else _uuid("track", a.item)
        n_kept += bool(track)
        name = f'7" of track {a.item}' if a.item % 20 == 3 else f"Track number {a.item}"
        rows.append(
            f"user_{a.user:06d}\t{a.at:%Y-%m-%dT%H:%M:%SZ}\t{_uuid('artist', artist)}\t"
            f"The Artist {artist}\t{track}\t{name}"
        )
    _write(folder / "userid-timestamp-artid-artname-traid-traname.tsv", rows)
    return n_kept


def last_fm_360k(folder: Path) -> int:
    """Numbers of plays a user and artist, without times and without a header."""
    pairs = sorted({(a.user, a.item) for a in acts()})
    rows = [
        f"{_mbid('user', u)}{u:08x}\t{_uuid('artist', i)}\tThe Artist {i}\t{5 + (u * i) % 900}"
        for u, i in pairs
    ]
    _write(folder / "usersha1-artmbid-artname-plays.tsv", rows)
    return len(rows)


def amazon(folder: Path) -> int:
    """Reviews and products as JSON lines: Unix seconds, prices as text, paths of categories."""
    rng = random.Random(5)
    done = acts()
    reviews = [
        json.dumps(
            {
                "overall": float(rng.randint(1, 5)),
                "verified": True,
                "reviewTime": f"{a.at:%m %d, %Y}",
                "reviewerID": f"A{a.user:05d}",
                "asin": f"B{a.item:05d}",
                "reviewerName": f"Name {a.user}",
                "reviewText": "words, and more words: " * rng.randint(1, 6),
                "unixReviewTime": int(a.at.timestamp()),
            }
        )
        for a in done
    ]
    _write(folder / "reviews.json", reviews)
    meta = [
        json.dumps(
            {
                "category": ["Shop", f"Group {category(i)}", f"Kind {i % 24}"],
                "title": f"Thing {i}",
                "price": f"${i + 0.5:.2f}",
                "brand": f"brand {i % 5}",
                "also_buy": [],
                "asin": f"B{i:05d}",
            }
        )
        for i in range(N_ITEMS)
    ]
    _write(folder / "meta.json", meta)
    return len(done)


def german(folder: Path) -> int:
    """Semicolons, dates day first, decimal commas, Windows' encoding, another order of columns."""
    done = acts()
    rows = [
        f"{a.at:%d.%m.%Y %H:%M:%S};{10000 + a.item};K{a.user};Stück {a.item};{1 + a.item % 3};"
        f"{a.item // 3},{a.item % 10}9;Kategorie {category(a.item)}"
        for a in done
    ]
    head = "Datum;Artikelnr;Kunde;Bezeichnung;Menge;Preis;Kategorie"
    _write(folder / "verkauf.csv", [head, *rows], "cp1252")
    return len(done)


_TABLES = """
CREATE TABLE customers (id INTEGER, country VARCHAR);
CREATE TABLE orders (id INTEGER, customer_id INTEGER, created_at TIMESTAMP);
CREATE TABLE order_items (order_id INTEGER, product_id INTEGER, quantity INTEGER, price DOUBLE);
CREATE TABLE products (id INTEGER, name VARCHAR, category VARCHAR, price DOUBLE);
"""


def _database_rows() -> dict[str, list[tuple[Any, ...]]]:
    done = [a for a in acts() if a.kind]
    return {
        "customers": [(u, ("DE", "FR", "UK")[u % 3]) for u in range(N_USERS)],
        "orders": [(n, a.user, f"{a.at:%Y-%m-%d %H:%M:%S}") for n, a in enumerate(done)],
        "order_items": [(n, a.item, 1 + n % 2, 2.5 + a.item) for n, a in enumerate(done)],
        "products": [(i, f"Thing {i}", f"group {category(i)}", 2.5 + i) for i in range(N_ITEMS)],
    }


def _insert(db: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    columns = [list(values) for values in zip(*rows, strict=True)]
    db.from_arrow(pa.table(columns, [f"c{n}" for n in range(len(columns))])).insert_into(table)


def duckdb_file(path: Path) -> int:
    with duckdb.connect(path) as db:
        db.execute(_TABLES)
        for table, rows in _database_rows().items():
            _insert(db, table, rows)
    return len(_database_rows()["order_items"])


def sqlite_file(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(_TABLES)
        for table, rows in _database_rows().items():
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        db.commit()
    return len(_database_rows()["order_items"])


def partitions(folder: Path) -> int:
    """Parquet by day under other names, and a catalogue: a night can read it as it is."""
    folder.mkdir(exist_ok=True)
    done = acts()
    rows = [
        (f"u{a.user}", f"i{a.item:03d}", ("page", "basket", "order")[a.kind], a.at) for a in done
    ]
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute("CREATE TABLE e (customer TEXT, sku TEXT, action TEXT, occurred_at TIMESTAMPTZ)")
        _insert(db, "e", rows)
        db.execute(
            "COPY (SELECT *, strftime(occurred_at, '%Y-%m-%d') AS date FROM e) "
            f"TO '{folder / 'events'}' (FORMAT parquet, PARTITION_BY (date))"
        )
        db.execute(
            f"COPY (SELECT 'i' || lpad(n::VARCHAR, 3, '0') AS sku, 'Thing ' || n AS title, "
            f"'group ' || (n % {N_CATEGORIES}) AS department FROM range({N_ITEMS}) r(n)) "
            f"TO '{folder / 'items.parquet'}' (FORMAT parquet)"
        )
    return len(done)
