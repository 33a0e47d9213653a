"""MovieLens in its official formats, chosen by which files a folder holds.

=========== ========== ==========================================================
ratings     movies     the sets in that format
=========== ========== ==========================================================
u.data      u.item     100K: tabs; pipes, 19 genre flags, latin-1
ratings.dat movies.dat 1M, 10M and MovieTweetings: ``::``, latin-1 or UTF-8
ratings.csv movies.csv 20M, 25M, latest and latest-small: CSV with a header, UTF-8
=========== ========== ==========================================================

An item's category is its first genre, its tags are all of them; without any, ``unknown`` and none.
An event is a `like` from 80 % of the set's scale upwards, a `dislike` up to 40 %, otherwise a
`rating`; `value` is the rating as given. The scale ends at 5 stars, or at 10 where a rating goes
beyond 5 (MovieTweetings).

Source: F. M. Harper and J. A. Konstan, "The MovieLens Datasets", ACM TiiS 5(4), 2015, and the
README of each set.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from data.console import plain_errors, show, telling
from data.parquet import EVENTS, ITEMS, Imported, InputError, Tell, silent, write_relation
from data.scratch import scratch

_GENRES_100K = [
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
]
_FLAG_COLUMNS = tuple(f"flag_{n}" for n in range(len(_GENRES_100K)))
_FLAGGED = ", ".join(
    f"CASE {flag} WHEN '1' THEN $${genre}$$ END"
    for flag, genre in zip(_FLAG_COLUMNS, _GENRES_100K, strict=True)
)
_NO_GENRE = "('', 'unknown', '(no genres listed)')"


@dataclass(frozen=True)
class Format:
    """Two files and how their lines read; `genres` is SQL for a list of genre names."""

    ratings: str
    movies: str
    ratings_delimiter: str
    movies_delimiter: str
    header: bool = False
    quote: str = ""
    movie_columns: tuple[str, ...] = ("item_id", "title", "genres")
    genres: str = "string_split(genres, '|')"


FORMATS = (
    Format(
        *("u.data", "u.item", "\t", "|"),
        movie_columns=("item_id", "title", "released", "on_video", "url", *_FLAG_COLUMNS),
        genres=f"[{_FLAGGED}]",
    ),
    Format("ratings.dat", "movies.dat", "::", "::"),
    Format("ratings.csv", "movies.csv", ",", ",", header=True, quote='"'),
)


def import_movielens(folder: Path, out: Path, tell: Tell = silent) -> Imported:
    """Write `events.parquet` and `items.parquet` to `out` from an unpacked MovieLens folder.

    Movies that were rated but have no line of their own are counted, and their events stay.
    `InputError` where the folder holds no known pair of files, or ratings beyond 10.
    """
    layout = detect(folder)
    with scratch(out) as db:
        tell(f"reading {folder / layout.ratings} ...")
        ratings = _ratings(db, folder / layout.ratings, layout)
        events = _events(ratings, layout.ratings)
        movies = _movies(db, folder / layout.movies, layout)
        orphans = ratings.join(movies, "item_id", how="anti")
        kinds = events.aggregate("event_type, count(*)").order("event_type").fetchall()
        counts = {
            f"ratings read from {layout.ratings}": len(ratings),
            **{f"  of them {kind}": count for kind, count in kinds},
            f"  of movies without a line in {layout.movies}": len(orphans),
            "    such movies": len(orphans.unique("item_id")),
        }
        tell("sorting and writing ...")
        counts["events written"] = write_relation(out / "events.parquet", EVENTS, events, "ts")
        counts["items written"] = write_relation(out / "items.parquet", ITEMS, movies, "item_id")
        last = events.max("ts").fetchall()[0][0]
    return Imported(out / "events.parquet", out / "items.parquet", None, counts, last)


def detect(folder: Path) -> Format:
    """Return the format whose two files are in the folder; `InputError` where none is."""
    for layout in FORMATS:
        if (folder / layout.ratings).is_file() and (folder / layout.movies).is_file():
            return layout
    known = ", ".join(f"{layout.ratings} + {layout.movies}" for layout in FORMATS)
    raise InputError(f"{folder} holds no MovieLens set; expected one of: {known}. Unpack it first.")


def _ratings(db: duckdb.DuckDBPyConnection, path: Path, layout: Format) -> duckdb.DuckDBPyRelation:
    """Return user_id, item_id, value, seconds (Unix); grain: one rating."""
    columns = {"user_id": "VARCHAR", "item_id": "VARCHAR", "value": "DOUBLE", "seconds": "BIGINT"}
    return _read(db, "ratings", path, layout, delimiter=layout.ratings_delimiter, columns=columns)


def _events(ratings: duckdb.DuckDBPyRelation, name: str) -> duckdb.DuckDBPyRelation:
    """Return the ratings as events, their types set on the scale that the ratings use."""
    highest = ratings.max("value").fetchall()[0][0]
    if highest is None or highest > 10:
        raise InputError(f"{name}: the highest rating is {highest}; expected a scale up to 5 or 10")
    top = 5 if highest <= 5 else 10
    kind = f"CASE WHEN value >= {0.8 * top} THEN 'like' WHEN value <= {0.4 * top} THEN 'dislike'"
    return ratings.project(
        f"user_id, item_id, {kind} ELSE 'rating' END AS event_type, "
        "to_timestamp(seconds) AS ts, value"
    )


def _movies(db: duckdb.DuckDBPyConnection, path: Path, layout: Format) -> duckdb.DuckDBPyRelation:
    """Return item_id, title, category, tags; grain: movie."""
    columns = dict.fromkeys(layout.movie_columns, "VARCHAR")
    movies = _read(db, "movies", path, layout, delimiter=layout.movies_delimiter, columns=columns)
    genres = f"coalesce(list_filter({layout.genres}, lambda genre: genre NOT IN {_NO_GENRE}), [])"
    return movies.project(f"item_id, title, {genres} AS tags").project(
        "item_id, coalesce(tags[1], 'unknown') AS category, title, tags"
    )


def _read(
    db: duckdb.DuckDBPyConnection,
    table: str,
    path: Path,
    layout: Format,
    *,
    delimiter: str,
    columns: dict[str, str],
) -> duckdb.DuckDBPyRelation:
    """Read a file into a table: every option given, so that nothing is guessed from its content."""
    db.execute(
        f"CREATE TABLE {table} AS FROM read_csv($path, delim = $delimiter, header = $header, "
        "quote = $quote, escape = $quote, encoding = $encoding, columns = $columns, "
        "auto_detect = false)",
        {
            "path": str(path),
            "delimiter": delimiter,
            "header": layout.header,
            "quote": layout.quote,
            "encoding": _encoding(path),
            "columns": columns,
        },
    )
    return db.table(table)


def _encoding(path: Path) -> str:
    """Return `utf-8` where every byte of the file is, else `latin-1`, which any byte is."""
    try:
        with path.open(encoding="utf-8") as lines:
            for _ in lines:
                pass
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    out: Annotated[Path, typer.Argument(file_okay=False)],
) -> None:
    """Import an unpacked MovieLens or MovieTweetings FOLDER into OUT.

    Example: python -m data.movielens ~/ml-latest-small .nightshelf/movielens
    """
    with telling("reading ...") as tell:
        written = import_movielens(folder, out, tell)
    show(written, "movielens")


if __name__ == "__main__":
    typer.run(plain_errors(main))
