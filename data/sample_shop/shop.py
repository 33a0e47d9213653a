"""The sample shop: a log with a planted structure, the same bytes for the same settings.

People have one to four favourite categories and, in each, a style that they love; what they look
at, buy and rate follows from it, on top of a long-tailed popularity (`favourites` tells the truth
that a test may check). A few rows are bad in ways that real logs are: sent twice, without a user,
of an item that the catalogue doesn't know.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from data.cli import plain_errors, show_counts, show_next, status
from data.sample_shop.catalogue import SCHEMA, Catalogue, make_catalogue
from data.sample_shop.events import SECOND_US, make_events
from data.sample_shop.log_files import events_table, write_days
from data.sample_shop.users import People, make_people
from data.sample_shop.vocabulary import N_STYLES, WORDS
from data.schema import USERS, InputError, Report, silent, write


@dataclass(frozen=True)
class ShopSettings:
    """Size of the shop: `n_days` of log up to `end` (UTC midnight, exclusive).

    `n_categories` is at most 24, and each of them needs 6 items; `visits_mean` is the mean number
    of visits a user before those that fall outside the log, at about five events each.
    """

    n_users: int = 5_000
    n_items: int = 1_500
    n_categories: int = 24
    n_days: int = 90
    visits_mean: float = 16.0
    seed: int = 7
    end: datetime = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shop:
    """The shop on disk: `events` is a folder of `date=YYYY-MM-DD/part-0.parquet`."""

    events: Path
    items: Path
    users: Path
    n_events: int
    n_items: int
    n_users: int
    event_types: dict[str, int]


def make_shop(folder: Path, settings: ShopSettings | None = None, report: Report = silent) -> Shop:
    """Write the shop's `events/`, `items.parquet` and `users.parquet` to a folder.

    `InputError` where the settings cannot be met, or the folder has events of other days.
    """
    settings = settings or ShopSettings()
    catalogue, people = invent(settings)
    report("playing the shop's days ...")
    rng = _stream(settings, 2)
    log = make_events(rng, catalogue, people, settings.n_days, _end_us(settings))
    table = events_table(rng, log, catalogue, people)
    report("writing the days ...")
    write_days(folder / "events", table)
    items, users = folder / "items.parquet", folder / "users.parquet"
    kinds = table["event_type"].value_counts().to_pylist()
    return Shop(
        events=folder / "events",
        items=items,
        users=users,
        n_events=table.num_rows,
        n_items=write(items, SCHEMA, catalogue.table().to_batches()),
        n_users=write(users, USERS, people.table().to_batches()),
        event_types={kind["values"]: kind["counts"] for kind in kinds},
    )


def favourites(settings: ShopSettings | None = None) -> dict[str, tuple[str, ...]]:
    """Return the planted truth: each user's favourite categories, the dearest first."""
    catalogue, people = invent(settings or ShopSettings())
    rows = zip(people.ids.tolist(), people.favourites, people.n_favourites, strict=True)
    return {user: tuple(catalogue.names[c] for c in liked[:n]) for user, liked, n in rows}


def invent(settings: ShopSettings) -> tuple[Catalogue, People]:
    """Return the catalogue and the people of the settings, each from its own random stream."""
    n_categories, end_us = settings.n_categories, _end_us(settings)
    if not 1 <= n_categories <= len(WORDS):
        raise InputError(f"n_categories is {n_categories}; expected 1 to {len(WORDS)}")
    if settings.n_items < n_categories * N_STYLES:
        raise InputError(
            f"n_items is {settings.n_items}; {n_categories} categories of {N_STYLES} styles "
            f"need {n_categories * N_STYLES} or more"
        )
    catalogue = make_catalogue(_stream(settings, 0), settings.n_items, n_categories, end_us)
    people = make_people(
        _stream(settings, 1), settings.n_users, n_categories, settings.visits_mean, end_us
    )
    return catalogue, people


def _stream(settings: ShopSettings, number: int) -> np.random.Generator:
    return np.random.default_rng([settings.seed, number])


def _end_us(settings: ShopSettings) -> int:
    return round(settings.end.timestamp()) * SECOND_US


_DEFAULT = ShopSettings()


def main(
    out: Annotated[Path, typer.Argument(file_okay=False)],
    *,
    users: Annotated[int, typer.Option(min=1)] = _DEFAULT.n_users,
    items: Annotated[int, typer.Option(min=1)] = _DEFAULT.n_items,
    days: Annotated[int, typer.Option(min=1)] = _DEFAULT.n_days,
    seed: Annotated[int, typer.Option(min=0)] = _DEFAULT.seed,
) -> None:
    """Make the sample shop in OUT: a log with a planted structure, the same for the same numbers.

    For example: python -m data.sample_shop.shop .nightshelf/shop --users 5000 --seed 7
    """
    settings = ShopSettings(n_users=users, n_items=items, n_days=days, seed=seed)
    with status("inventing the shop ...") as report:
        shop = make_shop(out, settings, report)
    kinds = {f"  {kind}": count for kind, count in shop.event_types.items()}
    show_counts({"events": shop.n_events, **kinds, "items": shop.n_items, "users": shop.n_users})
    show_next([shop.events, shop.items, shop.users], settings.end.date(), "shop")


if __name__ == "__main__":
    typer.run(plain_errors(main))
