"""Fallback lists against plain-Python definitions of each."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.recommend.popularity import popular_lists
from tasks.recommend.settings import PopularitySettings, TopNSettings
from tests.tasks.small_models import AS_OF, Event, learn, read_lists, walked, weighing

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
JUST_NOW = AS_OF - MOMENT
WEIGHTS = {"view": 1.0, "purchase": 5.0, "dislike": -3.0}
LISTING = TopNSettings(n=8, page_size=4, max_per_category=2)
HALF_LIFE_DAYS = 30.0
Items = Mapping[str, Mapping[str, Any]]
Found = dict[str, dict[str, list[Any]]]


def made(
    root: Path,
    events: Sequence[Event],
    items: Items,
    users: Mapping[str, str | None] | None = None,
    *,
    listing: TopNSettings = LISTING,
    settings: PopularitySettings | None = None,
) -> Found:
    night = learn(root, events, items, users, seen=("purchase",), weights=WEIGHTS)
    lists = popular_lists(
        night.run,
        night.log,
        night.features,
        settings or PopularitySettings(),
        listing,
        weighing(("purchase",), WEIGHTS),
    )
    found = read_lists(lists.path)
    lengths = [len(row["item_ids"]) for row in found.values()]
    assert (lists.n_lists, lists.n_full) == (len(lengths), lengths.count(listing.n))
    return found


def decayed(events: Sequence[Event], half_life_days: float = 60) -> defaultdict[str, float]:
    """An event halves every `half_life_days`, by whole days."""
    total: defaultdict[str, float] = defaultdict(float)
    for _, item, kind, ts in events:
        days = (AS_OF.date() - ts.date()).days
        total[item] += WEIGHTS[kind] * 0.5 ** (days / half_life_days)
    return total


def floored(scores: Mapping[str, float], items: Items) -> dict[str, float]:
    return {item: max(scores.get(item, 0), 0) for item in items}


def shrunk(
    events: Sequence[Event], of: Mapping[str, str | None], name: str, items: Items
) -> dict[str, float]:
    """Mix a segment's points with its share of everybody's, by a sum over users and items."""
    inside = [event for event in events if of[event[0]] == name]
    here, whole = (decayed(each, HALF_LIFE_DAYS) for each in (inside, events))
    part = sum(here.values()) / sum(whole.values())
    gap = sum((here[item] - part * whole[item]) ** 2 for item in items)
    chance = 0.0
    for user in of:
        mine = decayed([event for event in events if event[0] == user], HALF_LIFE_DAYS)
        weight = 1 - part if of[user] == name else part
        chance += sum((weight * points) ** 2 for points in mine.values())
    own = max(0, 1 - chance / gap)
    assert 0 < own < 1 or name == "tin"
    return floored(
        {item: own * here[item] + (1 - own) * part * whole[item] for item in items}, items
    )


def listed(
    scores: Mapping[str, float],
    items: Items,
    popularity: Mapping[str, float],
    listing: TopNSettings = LISTING,
    *,
    cap: int | None = None,
) -> list[str]:
    """Walk by score, popularity and id over what is available."""
    ids = sorted(items)
    kinds = [hash(items[item]["category"]) for item in ids]
    allowed = [at for at, item in enumerate(ids) if item in scores and available(items[item])]
    ranked = sorted(
        allowed, key=lambda at: (-scores[ids[at]], -popularity.get(ids[at], 0), ids[at])
    )
    cap = cap or listing.max_per_category
    return [ids[at] for at in walked(ranked, kinds, listing.n, listing.page_size, cap)]


def available(item: Mapping[str, Any]) -> bool:
    return bool(item.get("available", True))


def shop(seed: int) -> tuple[list[Event], dict[str, dict[str, Any]], dict[str, str | None]]:
    """Make 60 items in 5 categories, a tenth gone, three without events; 30 users in 3 segments.

    The segment gold has a taste of its own.
    """
    rng = np.random.default_rng(seed)
    items = {
        f"i{at:02}": {"category": f"c{at % 5}", "available": bool(rng.random() < 0.9)}
        for at in range(60)
    }
    names = ["gold", "tin", None]
    users = {f"u{at:02}": names[at % 3] for at in range(30)}
    events = []
    for _ in range(700):
        user, at = int(rng.integers(30)), min(int(rng.exponential(15)), 56)
        at = 20 + at // 4 if names[user % 3] == "gold" else at
        kind = str(rng.choice(["view", "view", "purchase", "dislike"]))
        ts = AS_OF - timedelta(seconds=int(rng.integers(1, 90 * 86_400)))
        events.append((f"u{user:02}", f"i{at:02}", kind, ts))
    return events, items, users


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_categories_and_segments_by_their_definitions(tmp_path: Path, seed: int) -> None:
    events, items, users = shop(seed)
    settings = PopularitySettings(half_life_days=HALF_LIFE_DAYS)
    found = made(tmp_path, events, items, users, settings=settings)
    popularity = decayed(events)
    recent = floored(decayed(events, HALF_LIFE_DAYS), items)

    assert found["all"]["item_ids"] == listed(recent, items, popularity)
    assert found["all"]["scores"] == pytest.approx(
        [recent[item] for item in found["all"]["item_ids"]], rel=1e-6
    )
    for category in sorted({item["category"] for item in items.values()}):
        own = {at: recent[at] for at in items if items[at]["category"] == category}
        row = found[f"category:{category}"]
        assert row["item_ids"] == listed(own, items, popularity, cap=99)  # no cap where all are one
        assert set(row["codes"]) == {"popular"}
        assert set(row["because"]) == {f"category:{category}"}
    for name in ("gold", "tin"):
        scores = shrunk(events, users, name, items)
        row = found[f"segment:{name}"]
        assert row["item_ids"] == listed(scores, items, popularity)
        assert row["scores"] == pytest.approx([scores[at] for at in row["item_ids"]], rel=1e-6)
    categories = [f"category:c{at}" for at in range(5)]
    assert list(found) == ["all", "trending", "new", *categories, "segment:gold", "segment:tin"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_trending_by_its_definition(tmp_path: Path, seed: int) -> None:
    events, items, _ = shop(seed)
    found = made(
        tmp_path, events, items, settings=PopularitySettings(recent_days=10, past_days=20)
    )["trending"]
    scores = trend(events, recent=10 * DAY, past=20 * DAY)
    popularity = decayed(events)
    assert len(scores) > 8
    assert found["item_ids"] == listed(scores, items, popularity)
    assert found["scores"] == pytest.approx([scores[item] for item in found["item_ids"]])
    assert set(found["codes"]) == {"trending"}
    assert set(found["because"]) == {""}


def trend(events: Sequence[Event], recent: timedelta, past: timedelta) -> dict[str, float]:
    """Distance of the recent count above the scaled past one, in its standard deviations."""
    scores = {}
    for item in {item for _, item, _, _ in events}:
        ages = [AS_OF - ts for _, other, kind, ts in events if other == item and WEIGHTS[kind] > 0]
        now = sum(age <= recent for age in ages)
        before = sum(recent < age <= recent + past for age in ages) * (recent / past)
        if now > before:
            scores[item] = (now - before) / math.sqrt(before + 1)
    return scores


def test_trending_windows_hold_their_past_borders_only(tmp_path: Path) -> None:
    """Recent is 7 days old at most; past is from just over 7 days to 35 exactly."""
    ages = {
        "just-now": MOMENT,
        "just-recent": 7 * DAY,
        "just-past": 7 * DAY + MOMENT,
        "last-past": 35 * DAY,
        "too-old": 35 * DAY + MOMENT,
    }
    items = {item: {"category": item} for item in ages}
    fresh: list[Event] = [("u", item, "view", JUST_NOW) for item in items]
    events = fresh + [("v", item, "view", AS_OF - age) for item, age in ages.items()]
    found = made(tmp_path, events, items)["trending"]
    assert dict(zip(found["item_ids"], found["scores"], strict=True)) == pytest.approx(
        {
            "just-now": 2.0,
            "just-recent": 2.0,
            "just-past": 0.75 / math.sqrt(1.25),
            "last-past": 0.75 / math.sqrt(1.25),
            "too-old": 1.0,
        }
    )


def test_what_is_as_busy_as_ever_does_not_trend(tmp_path: Path) -> None:
    items = {item: {"category": "any"} for item in ("steady", "fading", "disliked")}
    steady = [("u", "steady", "view", AS_OF - day * 7 * DAY - DAY) for day in range(5)]
    fading = [("u", "fading", "view", AS_OF - 8 * DAY)]
    disliked = [("u", "disliked", "dislike", JUST_NOW)]
    assert "trending" not in made(tmp_path, steady + fading + disliked, items)


def test_new_goes_by_creation_or_else_by_the_first_event(tmp_path: Path) -> None:
    born: dict[str, datetime | None] = {
        "now": AS_OF,
        "before": AS_OF - MOMENT,
        "week": AS_OF - 7 * DAY,
        "unborn": AS_OF + MOMENT,
        "seen-once": None,
        "unseen": None,
        "gone": AS_OF - DAY,
    }
    items: dict[str, dict[str, Any]] = {
        item: {"category": item, "created_at": at.replace(tzinfo=None) if at else None}
        for item, at in born.items()
    }
    items["gone"] |= {"available": False}
    events: list[Event] = [
        ("u", "seen-once", "view", AS_OF - 2 * DAY),
        ("u", "seen-once", "view", AS_OF - DAY),
        ("u", "week", "view", JUST_NOW),  # first seen now, and yet a week old
    ]
    found = made(tmp_path, events, items)["new"]
    assert found["item_ids"] == ["now", "before", "seen-once", "week"]
    assert found["scores"] == pytest.approx([1, 1, 1 / 3, 1 / 8])
    assert set(found["codes"]) == {"new"}
    assert set(found["because"]) == {""}


def test_ties_go_by_popularity_and_then_by_id(tmp_path: Path) -> None:
    created = (AS_OF - DAY).replace(tzinfo=None)
    items = {item: {"category": item, "created_at": created} for item in "dcba"}
    events: list[Event] = [("u", "c", "view", JUST_NOW), ("v", "a", "view", JUST_NOW)]
    events += [("u", "a", "dislike", JUST_NOW)]
    found = made(tmp_path, events, items, {"u": "gold"})
    assert found["new"]["item_ids"] == ["c", "b", "d", "a"]
    for segment in ("all", "segment:gold"):  # the score is 0 at least, the order is not
        assert found[segment]["item_ids"] == ["c", "b", "d", "a"]
        assert found[segment]["scores"][1:] == [0, 0, 0]


def test_mixed_lists_obey_the_category_rule_and_a_categorys_own_does_not(tmp_path: Path) -> None:
    items = {f"a{at}": {"category": "a"} for at in range(9)} | {"b": {"category": "b"}}
    events: list[Event] = [
        (f"u{user}", f"a{at}", "view", JUST_NOW) for at in range(9) for user in range(9 - at)
    ]
    found = made(tmp_path, events, items, {"u0": "gold"})
    assert found["all"]["item_ids"] == ["a0", "a1", "b"]  # then page 1 has room for no more of a
    assert found["trending"]["item_ids"] == ["a0", "a1"]
    assert found["segment:gold"]["item_ids"] == ["a0", "a1", "b"]
    assert found["category:a"]["item_ids"] == [f"a{at}" for at in range(8)]


def test_without_a_users_file_there_are_no_segments(tmp_path: Path) -> None:
    found = made(tmp_path, [("u", "a", "view", JUST_NOW)], {"a": {"category": "x"}})
    assert set(found) == {"all", "trending", "new", "category:x"}
    assert found["category:x"]["item_ids"] == ["a"]
