"""Clean logs that quality is measured on: the sample shop, and three public ones where at hand.

The public ones stand in the folder that NIGHTSHELF_REAL_DATA names, or in ../shared/data; where one
is absent a line says so.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from data.importers.movielens import import_movielens
from data.importers.online_retail import import_online_retail
from data.sample_shop.shop import ShopSettings, make_shop
from data.schema import Imported
from tasks.artifacts.records import CleanLog
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.runs.run_folder import Run
from tasks.settings import Settings


@dataclass(frozen=True)
class Source:
    """A public log: its place under the data folder, its importer, and the days to hold out.

    Without `days` too few users return for a protocol by time.
    """

    title: str
    place: str
    load: Callable[[Path, Path], Imported]
    days: int | None


@dataclass(frozen=True)
class Log:
    """A clean log up to `run.as_of`, in a folder of its own."""

    title: str
    run: Run
    clean: CleanLog
    days: int | None


SOURCES = (
    Source("UCI Online Retail", "online-retail/online_retail.csv.gz", import_online_retail, 30),
    Source("MovieTweetings 100k", "movietweetings-100k", import_movielens, 30),
    Source("MovieLens latest-small", "movielens-latest-small-2016", import_movielens, None),
)
_SHOP_DAYS = 7


def public_logs(folder: Path) -> Iterator[Log]:
    """Yield the logs, written into `folder`."""
    settings = ShopSettings()
    shop = make_shop(folder / "shop", settings)
    yield _cleaned(
        folder, "Sample shop", (shop.events, shop.items, shop.users), settings.end, _SHOP_DAYS
    )
    data = Path(os.environ.get("NIGHTSHELF_REAL_DATA", "../shared/data"))
    for source in SOURCES:
        if not (data / source.place).exists():
            print(f"{source.title}: {data / source.place} is not there", flush=True)
            continue
        found = source.load(data / source.place, folder / source.place.partition("/")[0])
        as_of = datetime.combine(found.as_of, datetime.min.time(), UTC)
        files = (found.events, found.items, found.users)
        yield _cleaned(folder, source.title, files, as_of, source.days)


def _cleaned(
    folder: Path,
    title: str,
    files: tuple[Path, Path, Path | None],
    as_of: datetime,
    days: int | None,
) -> Log:
    settings = Settings()
    run = Run(title.lower().replace(" ", "-"), 1, as_of, folder / "runs")
    inputs = check_inputs(*files, settings.inputs)
    return Log(title, run, clean_events(run, inputs, settings.events, now=as_of), days)
