"""No skew by day: a row after an action is that of the next refresh, and of the next night."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from nightshelf import Effect, ReadSettings, Shelf
from nightshelf.contract.keys import Keys, parse
from nightshelf.contract.values import Manifest
from tasks.artifacts.records import Features, GenerationFiles
from tasks.features.serving_rules import counting_of
from tasks.features.settings import FeatureSettings
from tasks.ingest.settings import EventSettings
from tasks.publish.keyspace import families
from tasks.runs.run_folder import Run
from tests.lookup.client.test_recent_events import clock_at
from tests.lookup.shelves import SHOP
from tests.nightshelf_ops.night import make_night
from tests.tasks.logs import AS_OF, Row, clean, event, item, learn
from tests.tasks.refresh.collected_events import collect, refresh

KEYS = Keys(SHOP)
NINE = AS_OF + timedelta(hours=9)
KINDS = ("purchase", "view", "click", "rating", "like", "return", "wave", "impression")
TELLING = ReadSettings(
    max_bytes=0, deadline_s=5.0, actions={kind: Effect(refreshes=True) for kind in KINDS}
)
ITEMS = [item(f"i{at}", category=f"c{at % 3}") for at in range(6)]
#: Somebody who takes to everything, so that there is something to learn.
LESSONS = [
    event(user_id="u9", item_id=each["item_id"], event_type="purchase", event_id=each["item_id"])
    for each in ITEMS
]
#: Purchases by other names: night, refresh and readers count by the same settings.
OWN = FeatureSettings(purchase_types=("return", "purchase"))
Rows = dict[str, dict[str, Any]]


def made(root: Path, events: Sequence[Row], as_of: datetime) -> Features:
    log = clean(
        root, events, ITEMS, as_of=as_of, now=as_of, settings=EventSettings(max_bad_share=1)
    )
    return learn(root, log, OWN)


def values(features: Features) -> dict[str, bytes]:
    """Return the rows as they are published, by key."""
    run = Run(SHOP, 1, AS_OF, Path())
    kinds = families(run, GenerationFiles({}, None, None, features.users, features.items))
    return {entry.key: entry.value for family in kinds for entry in family.entries()}


def published(client: Redis, features: Features, as_of: datetime) -> None:
    counting = counting_of(EventSettings(), OWN)
    client.set(KEYS.current, Manifest(1, as_of.isoformat(), counting=counting).to_json())
    for key, value in values(features).items():
        client.set(key, value, ex=3600)


def read(shelf: Shelf, now: datetime) -> Rows:
    """Return every row that a reader gets, but for what it cannot know."""
    with clock_at(now):
        items = shelf.item_features([each["item_id"] for each in ITEMS])
        return comparable(shelf.user_features([f"u{at}" for at in range(10)]) | items)


def comparable(rows: Rows) -> Rows:
    """Leave out what takes a whole history: a user's tastes, an item's first event."""
    later = {"u": ("favorite_categories",), "n": ("favorite_categories",), "i": ("first_seen",)}
    return {
        name: {field: value for field, value in row.items() if field not in later[name[0]]}
        for name, row in rows.items()
    }


def rows_of(features: Features) -> Rows:
    """Return the rows of a night, as `read` does."""
    published = values(features).items()
    names = {key: each.name for key, _ in published if (each := parse(key))}
    return comparable({str(names[key]): json.loads(value) for key, value in published})


def track(shelf: Shelf, *events: Row) -> None:
    for each in events:
        what = (each["user_id"], each["event_type"], each["item_id"], each["value"])
        assert shelf.acted(*what, at=each["ts"], event_id=each["event_id"]).recorded


def day_of(n: int, first: datetime, within: timedelta) -> st.SearchStrategy[list[Row]]:
    """Draw the events of some hours, in order of time."""
    rows = st.lists(
        st.builds(
            event,
            user_id=st.sampled_from(["u1", "u2", "u3"]),
            item_id=st.sampled_from([each["item_id"] for each in ITEMS]),
            event_type=st.sampled_from(KINDS),
            ts=st.integers(1, within // timedelta(microseconds=1) - 1).map(
                lambda us: first + timedelta(microseconds=us)
            ),
            value=st.sampled_from([None, 0.0, 1.0, 3.3, 5.0, 0.1234567]),
        ),
        max_size=n,
    )
    return rows.map(
        lambda found: [
            row | {"event_id": f"{first:%d}-{at}"}
            for at, row in enumerate(sorted(found, key=lambda row: (row["ts"], row["user_id"])))
        ]
    )


@settings(max_examples=20)
@given(
    before=day_of(12, AS_OF - timedelta(days=2), timedelta(days=2)),
    after=day_of(25, AS_OF, timedelta(hours=9)),
    again=st.lists(st.integers(0, 24), max_size=4),
)
def test_told_after_a_night_or_seen_by_the_next(
    redis_client: Redis,
    tmp_path_factory: pytest.TempPathFactory,
    before: list[Row],
    after: list[Row],
    again: list[int],
) -> None:
    redis_client.flushdb()
    root = tmp_path_factory.mktemp("log")
    published(redis_client, made(root / "night", [*LESSONS, *before], AS_OF), AS_OF)
    shelf = Shelf(redis_client, SHOP, settings=TELLING)
    track(shelf, *after, *(after[at] for at in again if at < len(after)))
    by_day = read(shelf, NINE)
    whole = made(root / "next", [*LESSONS, *before, *after], NINE)
    assert by_day == rows_of(whole)

    # The next night goes live, and holds all of it: nothing is added to its rows.
    published(redis_client, whole, NINE)
    assert read(Shelf(redis_client, SHOP, settings=TELLING), NINE) == rows_of(whole)


def test_before_during_and_after_a_refresh(redis_client: Redis, tmp_path: Path) -> None:
    make_night(redis_client, tmp_path)
    shelf = Shelf(redis_client, SHOP, settings=TELLING)
    people, things = ["u00", "u05", "new"], ["i02", "i05", "i09", "i10", "i19"]

    def rows(now: datetime = NINE) -> tuple[Rows, Rows]:
        with clock_at(now):
            users = shelf.user_features(people)
            return comparable(users), shelf.item_features(things)

    nights = rows()
    morning = [
        event(user_id=user, item_id=thing, event_type=kind, ts=AS_OF + timedelta(minutes=at),
              value=value, event_id=f"e{at}")
        for user, thing, kind, value, at in (
            ("u00", "i10", "like", 4.0, 60), ("u05", "i02", "view", None, 70),
            ("u05", "i19", "like", 2.5, 71), ("new", "i05", "view", None, 80),
            ("new", "i09", "like", None, 81), ("u00", "i10", "view", None, 82),
            ("u05", "i10", "like", 5.0, 97), ("new", "i05", "view", None, 98),
        )
    ]  # fmt: skip
    track(shelf, *morning)
    by_day = rows()
    assert by_day != nights
    assert by_day[0]["u00"]["events"] == nights[0]["u00"]["events"] + 2
    assert by_day[1]["i10"]["num_ratings"] == nights[1]["i10"]["num_ratings"] + 2

    def collected(*events: Row) -> None:
        for each in events:
            action = (each["user_id"], each["item_id"], each["event_type"], each["ts"])
            collect(tmp_path / "events", action, value=each["value"], event_id=each["event_id"])

    for heard in (morning[:1], morning[1:5], morning[5:]):  # the others are on their way
        collected(*heard)
        refresh(redis_client, tmp_path)
        assert redis_client.exists(KEYS.row_update("u00"), KEYS.item_update("i10")) >= 1
        assert rows() == by_day
        track(shelf, *heard)  # once more
        assert rows() == by_day
    fresh = [KEYS.row_update(user) for user in people] + [KEYS.item_update(each) for each in things]
    recent = [KEYS.recent(user) for user in people] + [KEYS.recent_item(each) for each in things]
    assert redis_client.exists(*fresh[:3]) == 3

    kept = {key: redis_client.dump(key) for key in recent}
    redis_client.delete(*recent)  # as when their time is up
    users, items = rows()
    assert users == by_day[0]  # the refresh has made them its own
    quarter = AS_OF + timedelta(minutes=90)
    held = [each for each in morning if each["ts"] < quarter and each["item_id"] == "i10"]
    assert items["i10"]["num_ratings"] == len([each for each in held if each["value"]])

    redis_client.delete(*fresh)
    ended = rows()
    assert {user: ended[0][user] for user in nights[0]} == nights[0]  # in the night's row
    assert ended[0]["new"]["events"] == 2  # in the row that the first refresh gave to a stranger
    assert ended[1] == nights[1]

    for key, value in kept.items():
        if value:
            redis_client.restore(key, 60_000, value)
    assert rows() == by_day
