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

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from data.cli import plain_errors, show, status
from data.duckdb_session import scratch
from data.importers.csv_dialect import Dialect
from data.importers.csv_import import CsvMap, advice_for_csv_log, stage, store
from data.importers.csv_table import Table, load, require_columns
from data.importers.csv_text import utf8_or_latin1
from data.schema import Imported, InputError, Report, silent

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


_RATING_COLUMNS = ("userId", "movieId", "rating", "timestamp")
_MOVIE_COLUMNS = ("movieId", "title", "genres")


@dataclass(frozen=True)
class Format:
    """Two files and how each is written; `genres` is SQL for a list of genre names."""

    ratings: str
    movies: str
    ratings_dialect: Dialect
    movies_dialect: Dialect
    genres: str = "string_split(genres, '|')"


FORMATS = (
    Format(
        *("u.data", "u.item"),
        Dialect("\t", quote="", names=_RATING_COLUMNS),
        Dialect(
            *("|", ""), names=("movieId", "title", "released", "on_video", "url", *_FLAG_COLUMNS)
        ),
        genres=f"[{_FLAGGED}]",
    ),
    Format(
        *("ratings.dat", "movies.dat"),
        Dialect("::", quote="", names=_RATING_COLUMNS),
        Dialect("::", quote="", names=_MOVIE_COLUMNS),
    ),
    Format("ratings.csv", "movies.csv", Dialect(), Dialect()),
)


def import_movielens(folder: Path, out: Path, report: Report = silent) -> Imported:
    """Write `events.parquet` and `items.parquet` to `out` from an unpacked MovieLens folder.

    Movies that were rated but have no line of their own are counted, and their events stay.
    `InputError` where the folder holds no known pair of files, where a file has other columns, and
    where ratings go beyond 10.
    """
    layout = detect(folder)
    with scratch(out) as held, advice_for_csv_log():
        db = held.db
        ratings = _load(db, folder / layout.ratings, layout.ratings_dialect, "ratings", report)
        require_columns(ratings, _RATING_COLUMNS)
        movies = _load(db, folder / layout.movies, layout.movies_dialect, "movies", report)
        require_columns(movies, layout.movies_dialect.names or _MOVIE_COLUMNS)
        staged = stage(db, ratings, _columns(ratings, layout), movies, report)
        events = db.table("events")
        orphans = events.join(db.table("items"), "item_id", how="anti")
        kinds = events.aggregate("event_type, count(*)").order("event_type").fetchall()
        facts = {
            **{f"events: {kind}": count for kind, count in kinds},
            f"events of movies without a line in {layout.movies}": len(orphans),
            "  such movies": len(orphans.unique("item_id")),
        }
        return store(held, staged, report, facts)


def detect(folder: Path) -> Format:
    """Return the format whose two files are in the folder; `InputError` where none is."""
    for layout in FORMATS:
        if (folder / layout.ratings).is_file() and (folder / layout.movies).is_file():
            return layout
    known = ", ".join(f"{layout.ratings} + {layout.movies}" for layout in FORMATS)
    raise InputError(f"{folder} holds no MovieLens set; expected one of: {known}. Unpack it first.")


def _load(
    db: duckdb.DuckDBPyConnection, path: Path, dialect: Dialect, what: str, report: Report
) -> Table:
    return load(db, what, [path], replace(dialect, encoding=utf8_or_latin1(path)), what, report)


def _columns(ratings: Table, layout: Format) -> CsvMap:
    """Return the map, its event types set on the scale that the ratings use."""
    if other := ratings.numbers("rating").other:
        raise InputError(f"a rating is no number: {other}")
    highest = ratings.relation.aggregate("max(TRY_CAST(rating AS DOUBLE))").fetchall()[0][0]
    if highest is None or highest > 10:
        name = layout.ratings
        raise InputError(f"{name}: the highest rating is {highest}; expected a scale up to 5 or 10")
    top = 5 if highest <= 5 else 10
    kind = f"CASE WHEN rating >= {0.8 * top} THEN 'like' WHEN rating <= {0.4 * top} THEN 'dislike'"
    tags = f"coalesce(list_filter({layout.genres}, lambda genre: genre NOT IN {_NO_GENRE}), [])"
    return CsvMap(
        event={
            **{
                "user_id": "userId",
                "item_id": "movieId",
                "event_type": f"{kind} ELSE 'rating' END",
            },
            **{"ts": "to_timestamp(timestamp)", "value": "rating"},
        },
        item={
            **{"item_id": "movieId", "category": f"coalesce(({tags})[1], 'unknown')"},
            **{"title": "title", "tags": tags},
        },
    )


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    out: Annotated[Path, typer.Argument(file_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Import an unpacked MovieLens or MovieTweetings FOLDER into OUT.

    Example: python -m data.importers.movielens ~/ml-latest-small .nightshelf/movielens
    """
    with status("reading ...") as report:
        written = import_movielens(folder, out, report)
    show(written, "movielens", json=json)


if __name__ == "__main__":
    typer.run(plain_errors(main))
