from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.importers.movielens import detect, import_movielens
from data.schema import EVENTS, ITEMS, InputError
from tests.conftest import RealLog


def rows(path: Path) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return read


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def flags(*on: int) -> str:
    return "|".join("1" if n in on else "0" for n in range(19))


def write_100k(folder: Path) -> None:
    (folder / "u.data").write_text("196\t242\t3\t881250949\n186\t302\t5\t891717742\n22\t9\t2\t5\n")
    movies = (
        f"242|Kolya (1996)|24-Jan-1997||http://x|{flags(5)}\n"
        f'302|Cité des "enfants" perdus, La (1995)|01-Jan-1995||http://y|{flags(2, 15)}\n'
        f"9|unknown||||{flags(0)}\n"
        f"7|Babe (1995)|01-Jan-1995||http://z|{flags(4, 5)}\n"
    )
    (folder / "u.item").write_bytes(movies.encode("latin-1"))


def test_100k(tmp_path: Path) -> None:
    write_100k(tmp_path)
    done = import_movielens(tmp_path, tmp_path / "out")
    assert rows(done.events) == [
        {"user_id": "22", "item_id": "9", "event_type": "dislike", "ts": at(5), "value": 2.0},
        {
            **{"user_id": "196", "item_id": "242", "event_type": "rating"},
            **{"ts": at(881250949), "value": 3.0},
        },
        {
            **{"user_id": "186", "item_id": "302", "event_type": "like"},
            **{"ts": at(891717742), "value": 5.0},
        },
    ]
    title = 'Cité des "enfants" perdus, La (1995)'
    assert rows(done.items) == [
        {"item_id": "242", "category": "Comedy", "title": "Kolya (1996)", "tags": ["Comedy"]},
        {
            "item_id": "302",
            "category": "Adventure",
            "title": title,
            "tags": ["Adventure", "Sci-Fi"],
        },
        {
            **{"item_id": "7", "category": "Children's", "title": "Babe (1995)"},
            "tags": ["Children's", "Comedy"],
        },
        {"item_id": "9", "category": "unknown", "title": "unknown", "tags": []},
    ]
    assert done.users is None
    assert done.as_of == date(1998, 4, 5)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_1m(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "ratings.dat").write_text("1::0014::4::60\n1::2::1::61\n2::3::3.5::62\n")
    movies = '0014::Amélie "Poulain": le film (2001)::Comedy|Romance\n2::A, B::\n5::C::Drama\n'
    (tmp_path / "movies.dat").write_bytes(movies.encode(encoding))
    done = import_movielens(tmp_path, tmp_path / "out")
    assert [(row["item_id"], row["event_type"], row["value"]) for row in rows(done.events)] == [
        ("0014", "like", 4.0),
        ("2", "dislike", 1.0),
        ("3", "rating", 3.5),
    ]
    assert [tuple(row.values()) for row in rows(done.items)] == [
        ("0014", "Comedy", 'Amélie "Poulain": le film (2001)', ["Comedy", "Romance"]),
        ("2", "unknown", "A, B", []),
        ("5", "Drama", "C", ["Drama"]),
    ]
    assert done.counts["events of movies without a line in movies.dat"] == 1
    assert done.counts["  such movies"] == 1


def test_a_scale_of_ten_moves_the_thresholds(tmp_path: Path) -> None:
    lines = [f"{rating}::m::{rating}::{rating}" for rating in range(11)]
    (tmp_path / "ratings.dat").write_text("\n".join(lines) + "\n")
    (tmp_path / "movies.dat").write_text("m::M::Drama\n")
    done = import_movielens(tmp_path, tmp_path / "out")
    kinds = [row["event_type"] for row in rows(done.events)]
    assert kinds == ["dislike"] * 5 + ["rating"] * 3 + ["like"] * 3


def test_csv_with_quotes_commas_and_no_genres(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n7,1,0.5,1260759144\n7,2,3.5,1260759144\n"
    )
    (tmp_path / "movies.csv").write_text(
        "movieId,title,genres\n"
        '1,"""Great Performances"" Cats, The (1998)",Musical\n'
        "2,Amélie (2001),(no genres listed)\n"
    )
    done = import_movielens(tmp_path, tmp_path / "out")
    assert [tuple(row.values()) for row in rows(done.items)] == [
        ("1", "Musical", '"Great Performances" Cats, The (1998)', ["Musical"]),
        ("2", "unknown", "Amélie (2001)", []),
    ]
    assert [row["event_type"] for row in rows(done.events)] == ["dislike", "rating"]
    assert done.last_event == at(1260759144)


def write_csv(
    folder: Path, ratings: str, movies: str = "movieId,title,genres\n10,A,Drama\n"
) -> None:
    (folder / "ratings.csv").write_text(ratings)
    (folder / "movies.csv").write_text(movies)


def test_csv_columns_go_by_name(tmp_path: Path) -> None:
    write_csv(
        tmp_path,
        "movieId,userId,rating,timestamp\n10,1,4.0,1500000000\n11,1,2.0,1500000100\n",
        "movieId,genres,title\n10,Comedy,A Film (1999)\n11,Drama,B Film (2001)\n",
    )
    done = import_movielens(tmp_path, tmp_path / "out")
    assert [(row["user_id"], row["item_id"]) for row in rows(done.events)] == [
        *(("1", "10"), ("1", "11"))
    ]
    assert [(row["category"], row["title"]) for row in rows(done.items)] == [
        *(("Comedy", "A Film (1999)"), ("Drama", "B Film (2001)"))
    ]


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        (
            "user,movieId,rating,timestamp\n1,10,4,1\n",
            r"ratings\.csv: expected the columns userId, .*has: user, ",
        ),
        ("1,10,4.0,1500000000\n", r"ratings\.csv: expected the columns .*has: 1, 10, 4\.0"),
        (
            "userId,movieId,rating,timestamp\n1,10,4,1500000000000\n",
            r"ratings\.csv line 2: .*the year 49503.*epoch_ms\(timestamp\)",
        ),
        (
            "userId,movieId,rating,timestamp\n1,10,4,1\n1,10,good,1\n",
            r"ratings\.csv line 3: 'good'",
        ),
        (
            "userId,movieId,rating,timestamp\n1,10,4,1\n1,10,4\n",
            r"ratings\.csv line 3: 3 fields, expected 4",
        ),
        ("userId,movieId,rating,timestamp\n", r"highest rating is None"),
    ],
)
def test_csv_that_is_not_movielens_is_refused_and_leaves_nothing(
    tmp_path: Path, ratings: str, message: str
) -> None:
    write_csv(tmp_path, ratings)
    with pytest.raises(InputError, match=message):
        import_movielens(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_columns_are_of_the_contract(tmp_path: Path) -> None:
    write_100k(tmp_path)
    done = import_movielens(tmp_path, tmp_path / "out")
    for path, contract in ((done.events, EVENTS), (done.items, ITEMS)):
        schema = pq.read_schema(path)
        assert schema.equals(pa.schema([contract.field(name) for name in schema.names]))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "events.parquet",
        "items.parquet",
    ]


def test_a_folder_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").touch()
    with pytest.raises(InputError, match=r"u\.data \+ u\.item"):
        detect(tmp_path)


def test_ratings_beyond_ten_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::1::85::60\n")
    (tmp_path / "movies.dat").write_text("1::A::\n")
    with pytest.raises(InputError, match=r"highest rating is 85\.0"):
        import_movielens(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "n_events", "n_items", "likes", "as_of"),
    [
        ("movielens-latest-small-2016", 100_004, 9_125, 51_568, date(2016, 10, 17)),
        ("movietweetings-100k", 100_000, 10_506, 50_542, date(2013, 9, 2)),
    ],
)
def test_real_sets(
    real_log: RealLog,
    tmp_path: Path,
    name: str,
    n_events: int,
    n_items: int,
    likes: int,
    as_of: date,
) -> None:
    done = import_movielens(real_log(name), tmp_path / "one")
    events, items = pq.read_table(done.events), pq.read_table(done.items)
    assert (events.num_rows, items.num_rows, done.as_of) == (n_events, n_items, as_of)
    assert events["event_type"].to_pylist().count("like") == likes
    assert sum(table.null_count for table in [*events.columns, *items.columns]) == 0
    again = import_movielens(real_log(name), tmp_path / "two")
    assert again.events.read_bytes() == done.events.read_bytes()
    assert again.items.read_bytes() == done.items.read_bytes()
