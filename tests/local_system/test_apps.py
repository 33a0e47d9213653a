"""Both ways of an app give and record the same; a player sends what a visit says."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis

from data.sample_shop.shop import ShopSettings
from data.simulator.settings import TrafficSettings
from data.simulator.shop_day import shop_on
from data.simulator.visits import visits_of
from local_system import player as playing
from local_system.apps import ByClient, ByService
from local_system.player import NotRecorded, Player
from nightshelf import Event, Item, Result, Shelf
from tests.lookup.experiments import LINKS, OUT, experimenting
from tests.lookup.service.serving import serving
from tests.lookup.shelves import SHOP, UNKEPT, entries, ids

TRAFFIC = TrafficSettings(visits_a_day=40)


def event(kind: str, item: str, number: int, page: Result) -> Event:
    own: dict[str, Any] = {"experiment": page.experiment, "variant": page.variant}
    return Event(
        LINKS, kind, item, event_id=f"e-{number}", position=number, phase=page.phase, **own
    )


def test_the_service_and_the_client_give_and_record_the_same(
    redis_client: Redis, redis_url: str, tmp_path: Path
) -> None:
    experimenting(redis_client)
    by_client = ByClient(Shelf(redis_client, SHOP, settings=UNKEPT))
    recorded = []
    with serving(redis_url, tmp_path / "log") as server:
        server.wait_ready()
        by_service = ByService(server.url, "none is needed")
        for user in (LINKS, OUT):
            ours, theirs = by_client.page(user, 3), by_service.page(user, 3)
            assert ids(ours) == ids(theirs)
            for name in ("source", "generation", "model", "experiment", "variant", "phase"):
                assert getattr(ours, name) == getattr(theirs, name)
        for app in (by_client, by_service):
            page = app.page(LINKS, 3)
            shown = [event("impression", item, n, page) for n, item in enumerate(ids(page), 1)]
            assert app.record(shown) is None
            assert app.record([event("click", ids(page)[0], 4, page)]) is None
            assert app.act(event("purchase", ids(page)[0], 5, page)) is None
            assert ids(app.page(LINKS, 1)) != ids(page)[:1], "a bought item is gone at once"
            recorded.append([{**each, "ts": ""} for each in entries(redis_client)])
            experimenting_anew(redis_client)
    assert "ConnectError" in str(by_service.record([event("click", "i", 9, Result((), "none"))]))
    assert by_service.page(LINKS, 3).source == "none"
    assert recorded[0] == recorded[1]


def experimenting_anew(client: Redis) -> None:
    client.flushdb()
    experimenting(client)


class Taken:
    """An app of one list that takes events after some failures."""

    def __init__(self, items: Sequence[str], failures: int) -> None:
        self._page = Result(tuple(Item(item, 1.0, ()) for item in items), "list", 3, "blend")
        self._failures = failures
        self.taken: list[Event] = []

    def page(self, user: str, n: int) -> Result:
        return self._page

    def record(self, events: Sequence[Event]) -> str | None:
        self._failures -= 1
        if self._failures >= 0:
            return "timeout"
        self.taken += events
        return None

    def act(self, event: Event) -> str | None:
        return self.record([event])


def player(app: Taken, sent: StringIO | None = None) -> Player:
    settings = ShopSettings(n_users=100, n_items=150, end=datetime(2026, 3, 1, tzinfo=UTC))
    return Player(app, shop_on(date(2026, 3, 1), settings, TRAFFIC), TRAFFIC, "20260301", sent)


def test_a_visit_is_recorded_whole_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "_AGAIN_S", 0.0)
    app, sent = Taken([f"i{n:05}" for n in range(1, 9)], failures=3), StringIO()
    of_day = player(app, sent)
    for visit in visits_of(of_day.shop, TRAFFIC):
        of_day.play(visit)
    names = [each.event_id for each in app.taken]
    assert len(names) == len(set(names))
    assert [orjson.loads(line)["event_id"] for line in sent.getvalue().splitlines()] == names
    n_visits = of_day.counts["visits"]
    shown = [each for each in app.taken if each.event_type == "impression"]
    assert len(shown) == 8 * n_visits == of_day.counts["impression"]
    assert all((each.generation, each.model) == (3, "blend") for each in shown)
    assert all(each.at.date() == date(2026, 3, 1) for each in app.taken)
    at = {each.event_id: each for each in app.taken}
    clicks = [each for each in app.taken if each.event_type == "click"]
    for each in clicks:
        on = at[f"{each.event_id.rsplit('-', 1)[0]}-i{each.position:02}"]
        assert (on.item_id, on.user_id) == (each.item_id, each.user_id)
        assert on.at < each.at
    assert clicks


def test_events_that_nobody_takes_stop_the_player(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "_AGAIN_S", 0.0)
    of_day = player(Taken(["i00001"], failures=1_000))
    with pytest.raises(NotRecorded, match="timeout"):
        of_day.play(visits_of(of_day.shop, TRAFFIC)[0])
