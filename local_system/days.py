"""Compressed days: visitors, collection, refresh, night, watch and readout, in simulated time.

A day of the shop, each step a run of its deployment:

    morning     visits until 14:00, then `collect` and `refresh`
    evening     the other visits, then `collect`
    night       `nightly` as of the day's end
    after it    `watch` and `readout`, as of the same time

On one day (`bad_day`) the night is first given half of the log. A gate blocks it, the watch opens
an incident, the night is run again on the whole log, and the incident ends.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from redis import Redis

from data.schema import write
from data.simulator.shop_day import ShopDay, shop_on
from data.simulator.visits import Visit, visits_of
from local_system import deployments
from local_system.apps import ByClient
from local_system.day_figures import DayFigures, figures_of, table_text
from local_system.player import Player
from local_system.settings import UpSettings
from nightshelf import Shelf

_NOON_H = 14
#: Minutes after a day's end at which the watch looks, before and after the night of a bad day.
_PASS_MIN, _BAD_PASSES_MIN, _GOOD_PASSES_MIN = 5, (5, 10), (15, 30)


def play_days(up: UpSettings, shelf: Shelf, redis: Redis) -> list[DayFigures]:
    """Play all days and print their table; raises `RunFailed` for a run that should complete."""
    found = []
    for day in up.played:
        play_day(up, shelf, day)
        found.append(figures_of(up, redis, day))
    print(table_text(found))
    return found


def write_catalogue(up: UpSettings, shop: ShopDay) -> None:
    """Write the items' file with the arrivals of a day, which the next night reads."""
    items = shop.items()
    write(up.catalogue, items.schema, items.to_batches())


def bad_day(up: UpSettings) -> date | None:
    """Return the day whose night is made to fail: the second; none where there is one day."""
    return up.played[1] if up.days > 1 else None


def play_day(up: UpSettings, shelf: Shelf, day: date) -> None:
    """Play one day with its night."""
    print(f"{day:%A}, {day}")
    shop = shop_on(day, up.shop, up.traffic)
    write_catalogue(up, shop)
    visits = visits_of(shop, up.traffic)
    noon = _begin(day) + timedelta(hours=_NOON_H)
    up.sent.mkdir(exist_ok=True)
    with (up.sent / f"{day}.jsonl").open("w") as sent:
        player = Player(ByClient(shelf), shop, up.traffic, f"{day:%Y%m%d}", sent)
        _play(player, "morning", [each for each in visits if each.at < noon])
        _run("collect")
        _run("refresh")
        _play(player, "evening", [each for each in visits if each.at >= noon])
    _run("collect")
    until = _begin(day + timedelta(days=1))
    passes: tuple[int, ...] = (_PASS_MIN,)
    if day == bad_day(up):
        _fail_night(up, until)
        passes = _GOOD_PASSES_MIN
    _run("nightly", as_of=until.isoformat())
    for minutes in passes[:-1]:
        _watch(until, minutes)
    last = {"now": (until + timedelta(minutes=passes[-1])).isoformat()}
    with _timed("watch, readout"):
        deployments.run_all({"watch": last, "readout": {"as_of": until.isoformat()}})


def _fail_night(up: UpSettings, until: datetime) -> None:
    """Run a night on half of the log, which a gate blocks, and let the watch see it."""
    half = _half_log(up, until.date())
    asked = {"events": str(half), "as_of": until.isoformat()}
    with _timed("nightly on half of the log, which a gate must block"):
        ended = deployments.ended({"nightly": deployments.start("nightly", **asked)})["nightly"]
    if ended.state is None or ended.state.name != "Blocked":
        raise deployments.RunFailed(f"a night on half of the log was not blocked: {ended.state}")
    for minutes in _BAD_PASSES_MIN:
        _watch(until, minutes)


def _half_log(up: UpSettings, until: date) -> Path:
    """Return a folder with links to every second day of the log."""
    half = up.folder / f"half-a-log-{until}"
    half.mkdir(exist_ok=True)
    for day in sorted(up.events.glob("date=*"))[::2]:
        (half / day.name).symlink_to(day)
    return half


def _play(player: Player, part: str, visits: Sequence[Visit]) -> None:
    with _timed(f"{len(visits):,} visits in the {part}"):
        for visit in visits:
            player.play(visit)


@contextmanager
def _timed(step: str) -> Iterator[None]:
    """Print a step with its seconds once it has ended."""
    began = time.monotonic()
    yield
    print(f"  {time.monotonic() - began:5.1f} s  {step}")


def _watch(until: datetime, minutes: int) -> None:
    _run("watch", now=(until + timedelta(minutes=minutes)).isoformat())


def _run(name: str, **parameters: Any) -> None:
    with _timed(name):
        deployments.run(name, **parameters)


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
