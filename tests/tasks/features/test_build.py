"""The matrix and the feature rows against plain Python, and bytes that stay the same."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.artifacts.records import Features
from tasks.errors import NothingToLearn, SettingsError
from tasks.features.settings import FeatureSettings
from tasks.features.teaching import unweighed_words
from tasks.ingest.settings import EventSettings
from tests.tasks.logs import AS_OF, YESTERDAY, Row, bytes_of, clean, event, item, learn, read

CATEGORIES = {"i1": "books", "i2": "books", "i3": "mugs", "i4": "tea", "i5": "pens"}
ITEMS = [item(item_id, category=category) for item_id, category in CATEGORIES.items()]


def ids(path: Path) -> list[str]:
    return [row["id"] for row in read(path)]


def cells(features: Features, matrix: Path) -> dict[tuple[str, str], float]:
    """Return the matrix as (user, item) -> value, having seen that its shape is the maps'."""
    users, items = ids(features.user_ids), ids(features.item_ids)
    table = sp.load_npz(matrix)
    assert (table.format, table.dtype, table.shape) == ("csr", np.float32, (len(users), len(items)))
    assert table.has_canonical_format
    rows, columns = table.nonzero()
    return {
        (users[row], items[column]): float(table[row, column])
        for row, column in zip(rows, columns, strict=True)
    }


def strengths(rows: Iterable[Row], chosen: FeatureSettings) -> dict[tuple[str, str], float]:
    """Define an interaction: weights times 2^(-days / half-life), over whole UTC days."""
    terms: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        weight = chosen.weights.get(row["event_type"], 0.0)
        days = (AS_OF.date() - row["ts"].date()).days
        terms[row["user_id"], row["item_id"]].append(weight * 0.5 ** (days / chosen.half_life_days))
    return {pair: math.fsum(values) for pair, values in terms.items()}


def rows_by(path: Path, key: str) -> dict[str, Row]:
    return {row[key]: row for row in read(path)}


random_events = st.lists(
    st.builds(
        event,
        user_id=st.sampled_from(["u1", "u2", "u3"]),
        item_id=st.sampled_from(list(CATEGORIES)),
        event_type=st.sampled_from(["purchase", "view", "rating", "return", "impression", "wave"]),
        ts=st.integers(1, 400 * 24 * 60).map(lambda age_min: AS_OF - timedelta(minutes=age_min)),
        value=st.sampled_from([None, 0.0, 1.0, 3.3, 5.0]),
    ),
    min_size=1,
    max_size=40,
).map(lambda rows: [row | {"event_id": str(n)} for n, row in enumerate(rows)])
PURCHASES = ("purchase", "wave")
LESSON = event(user_id="u0", event_type="purchase", event_id="lesson", value=1.0)


@pytest.mark.slow
@settings(max_examples=20)
@given(rows=random_events, half_life_days=st.sampled_from([0.5, 7.0, 60.0]))
def test_a_random_log_against_its_definition(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], half_life_days: float
) -> None:
    root = tmp_path_factory.mktemp("log")
    chosen = FeatureSettings(half_life_days=half_life_days, purchase_types=PURCHASES)
    rows = [*rows, LESSON]
    features = learn(root, clean(root, rows, ITEMS), chosen)
    expected = strengths(rows, chosen)
    check_matrix(features, expected)
    check_seen(features, rows, chosen)
    check_users(rows_by(features.users, "user_id"), rows, expected)
    check_items(rows_by(features.items, "item_id"), rows, expected)


EXACT = 1e-7  # points are whole multiples of 2^-32, and so are their sums


def check_matrix(features: Features, expected: dict[tuple[str, str], float]) -> None:
    found = cells(features, features.interactions)
    liked = {pair for pair, value in expected.items() if value > EXACT}
    assert set(ids(features.user_ids)) >= {user for user, _ in liked}
    assert set(ids(features.item_ids)) >= {liked_item for _, liked_item in liked}
    for user in ids(features.user_ids):
        for item_id in ids(features.item_ids):
            value = expected.get((user, item_id), 0.0)
            assert found.get((user, item_id), 0.0) == pytest.approx(value, rel=1e-6, abs=EXACT)
    assert features.n_interactions == len(found)


def check_seen(features: Features, rows: Sequence[Row], chosen: FeatureSettings) -> None:
    users, items = set(ids(features.user_ids)), set(ids(features.item_ids))
    expected = {
        (row["user_id"], row["item_id"]): 1.0
        for row in rows
        if row["event_type"] in chosen.seen and row["user_id"] in users and row["item_id"] in items
    }
    assert cells(features, features.seen) == expected


def mean(values: Sequence[float]) -> Any:
    return pytest.approx(sum(values) / len(values)) if values else None


def check_users(
    found: dict[str, Row], rows: Sequence[Row], expected: dict[tuple[str, str], float]
) -> None:
    assert list(found) == sorted({row["user_id"] for row in rows})
    for user, features in found.items():
        own = [row for row in rows if row["user_id"] == user]
        times = [row["ts"].replace(tzinfo=None) for row in own]
        rated = [r["value"] for r in own if r["event_type"] == "rating" and r["value"] is not None]
        assert features["events"] == len(own)
        assert features["total_purchases"] == sum(r["event_type"] in PURCHASES for r in own)
        assert features["avg_rating"] == mean(rated)
        assert (features["first_seen"], features["last_seen"]) == (min(times), max(times))
        assert features["created_at"] == min(times)
        assert features["segment"] is None
        assert features["recent_views"] == recent_views(own)
        taste: defaultdict[str, float] = defaultdict(float)
        for (who, item_id), value in expected.items():
            taste[CATEGORIES[item_id]] += value if who == user else 0.0
        best = [taste[category] for category in features["favorite_categories"]]
        assert all(one > other - EXACT for one, other in pairwise(best))
        clear = [name for name, value in taste.items() if value > EXACT]
        assert len(features["favorite_categories"]) >= min(3, len(clear))


def recent_views(own: Sequence[Row]) -> list[str]:
    """Define recent views: items by their latest view, latest first, then by id; 20 at most."""
    latest: dict[str, datetime] = {}
    for row in own:
        if row["event_type"] in ("view", "click"):
            latest[row["item_id"]] = max(row["ts"], latest.get(row["item_id"], row["ts"]))
    return sorted(latest, key=lambda item_id: (AS_OF - latest[item_id], item_id))[:20]


def check_items(
    found: dict[str, Row], rows: Sequence[Row], expected: dict[tuple[str, str], float]
) -> None:
    assert list(found) == sorted(CATEGORIES)
    for item_id, features in found.items():
        own = [row for row in rows if row["item_id"] == item_id]
        rated = [r["value"] for r in own if r["event_type"] == "rating" and r["value"] is not None]
        taken = math.fsum(value for (_, name), value in expected.items() if name == item_id)
        assert features["popularity_score"] == pytest.approx(taken, rel=1e-6, abs=EXACT)
        assert (features["num_ratings"], features["avg_rating"]) == (len(rated), mean(rated))
        first = min((row["ts"].replace(tzinfo=None) for row in own), default=None)
        assert features["first_seen"] == first
        assert features["category"] == CATEGORIES[item_id]


def test_a_day_is_a_utc_day_and_a_half_life_halves(tmp_path: Path) -> None:
    midnight = AS_OF - timedelta(days=2)
    ages = {"u1": AS_OF, "u2": AS_OF - timedelta(seconds=1), "u3": midnight}
    ages |= {"u4": midnight - timedelta(seconds=1), "u5": AS_OF - timedelta(days=400)}
    rows = [event(user_id=user, ts=ts, event_type="purchase") for user, ts in ages.items()]
    log = clean(tmp_path, rows, as_of=AS_OF + timedelta(hours=1))
    features = learn(tmp_path, log, FeatureSettings(half_life_days=1))
    found = cells(features, features.interactions)
    decayed = {user: found[user, "i1"] for user in ages}
    never_nothing = 2.0**-32
    assert decayed == {"u1": 5.0, "u2": 2.5, "u3": 1.25, "u4": 0.625, "u5": never_nothing}


def test_what_a_user_turned_against_is_negative_or_not_there(tmp_path: Path) -> None:
    rows = [
        event(user_id="u1", item_id="i1", event_type="purchase"),
        event(user_id="u1", item_id="i2", event_type="dislike"),
        event(user_id="u1", item_id="i4", event_type="purchase"),
        event(user_id="u1", item_id="i4", event_type="return"),  # as if it had never been
        event(user_id="u2", item_id="i2", event_type="purchase"),
        event(user_id="u2", item_id="i4", event_type="purchase"),
        event(user_id="u3", item_id="i1", event_type="dislike"),  # u3 took to nothing
        event(user_id="u1", item_id="i3", event_type="dislike"),  # nobody took to i3
    ]
    features = learn(tmp_path, clean(tmp_path, rows, ITEMS), FeatureSettings(half_life_days=1e9))
    assert cells(features, features.interactions) == pytest.approx(
        {("u1", "i1"): 5.0, ("u1", "i2"): -3.0, ("u2", "i2"): 5.0, ("u2", "i4"): 5.0}
    )
    assert features.n_interactions == 4
    assert cells(features, features.seen) == dict.fromkeys(
        [("u1", "i1"), ("u1", "i2"), ("u1", "i4"), ("u2", "i2"), ("u2", "i4")], 1.0
    )
    assert (ids(features.user_ids), ids(features.item_ids)) == (
        ["u1", "u2"],
        ["i1", "i2", "i4", "i5"],  # i5 is cold: its content is known, and nobody has tried it
    )
    assert (features.n_items, features.n_cold) == (4, 1)
    assert (features.n_users, features.n_known_users, features.n_catalogue) == (2, 3, 5)
    score = {row["item_id"]: row["popularity_score"] for row in read(features.items)}
    assert score == pytest.approx({"i1": 2.0, "i2": 2.0, "i3": -3.0, "i4": 5.0, "i5": 0.0})


def test_ids_are_in_the_order_of_their_utf8_bytes(tmp_path: Path) -> None:
    users = ["b", "B", "a", "é", "10", "9", "𐍈", "ﬀ", "a b"]
    rows = [event(user_id=user) for user in users]
    features = learn(tmp_path, clean(tmp_path, rows))
    in_order = sorted(users, key=str.encode)
    assert ids(features.user_ids) == in_order
    assert [row["user_id"] for row in read(features.users)] == in_order


def test_a_log_without_anything_seen_has_an_empty_matrix(tmp_path: Path) -> None:
    features = learn(tmp_path, clean(tmp_path, [event()]))
    assert cells(features, features.seen) == {}


def test_the_users_file_adds_users_segments_and_dates(tmp_path: Path) -> None:
    joined = AS_OF - timedelta(days=90)
    users: list[Row] = [
        {"user_id": "u0", "segment": "gold", "created_at": joined},  # never came
        {"user_id": "u1", "segment": "silver", "created_at": joined},
        {"user_id": "u2", "segment": "", "created_at": None},
    ]
    rows = [event(user_id=user) for user in ("u1", "u2", "u3")]
    features = learn(tmp_path, clean(tmp_path, rows, users=users))
    seen, since = YESTERDAY.replace(tzinfo=None), joined.replace(tzinfo=None)
    columns = ("user_id", "segment", "created_at", "first_seen", "last_seen", "events")
    assert [tuple(row[name] for name in columns) for row in read(features.users)] == [
        ("u0", "gold", since, None, None, 0),
        ("u1", "silver", since, seen, seen, 1),
        ("u2", None, seen, seen, seen, 1),
        ("u3", None, seen, seen, seen, 1),
    ]
    absent = read(features.users)[0]
    assert (absent["total_purchases"], absent["avg_rating"]) == (0, None)
    assert (absent["favorite_categories"], absent["recent_views"]) == ([], [])


def test_recent_views_are_twenty_latest_first_ties_by_id(tmp_path: Path) -> None:
    items = [item(f"i{n:02}") for n in range(25)]
    rows = [
        event(item_id=f"i{n:02}", ts=YESTERDAY - timedelta(hours=n // 2), event_type=kind)
        for n in range(25)
        for kind in ("view", "click")
    ]
    rows.append(event(item_id="i24", ts=YESTERDAY + timedelta(hours=1)))
    rows.append(
        event(item_id="i23", ts=AS_OF - timedelta(seconds=1), event_type="purchase")
    )  # no view
    features = learn(tmp_path, clean(tmp_path, rows, items))
    views = read(features.users)[0]["recent_views"]
    assert views == ["i24", *(f"i{n:02}" for n in range(19))]


def test_favourite_categories_are_three_ties_by_name_and_only_liked_ones(tmp_path: Path) -> None:
    rows = [
        event(item_id="i1"),
        event(item_id="i2", event_type="like"),  # books: 5
        event(item_id="i3", event_type="purchase"),  # mugs: 5
        event(item_id="i4", event_type="purchase"),
        event(item_id="i4", event_type="return"),  # tea: 0
        event(user_id="u2", item_id="i4", event_type="dislike"),
        *(event(user_id="u3", item_id=item_id) for item_id in ("i5", "i4", "i3", "i1")),
    ]
    features = learn(tmp_path, clean(tmp_path, rows, ITEMS))
    favourites = {row["user_id"]: row["favorite_categories"] for row in read(features.users)}
    assert favourites == {
        "u1": ["books", "mugs"],
        "u2": [],
        "u3": ["books", "mugs", "pens"],
    }


def test_item_rows_carry_the_catalogue_and_no_rating_where_none(tmp_path: Path) -> None:
    made = AS_OF - timedelta(days=30)
    items = [
        item("i1", title="One", price=9.5, tags=["x"], available=False, created_at=made),
        item("i2", title=None, price=None, tags=None, available=None, created_at=None),
    ]
    rows = [
        event(event_type="rating", value=4.0),
        event(event_type="rating", value=None, user_id="u2"),
        event(event_type="like", value=5.0),
        event(event_type="purchase", value=1e12),  # revenue is no rating
    ]
    one, two = read(learn(tmp_path, clean(tmp_path, rows, items)).items)
    assert (one["title"], one["price"], one["tags"], one["available"]) == ("One", 9.5, ["x"], False)
    assert (one["created_at"], one["first_seen"]) == (
        made.replace(tzinfo=None),
        YESTERDAY.replace(tzinfo=None),
    )
    assert (one["num_ratings"], one["avg_rating"]) == (2, 4.5)
    assert (two["num_ratings"], two["avg_rating"], two["popularity_score"]) == (0, None, 0.0)
    assert (two["first_seen"], two["tags"], two["available"]) == (None, [], True)


def test_unknown_types_teach_nothing_and_are_counted(tmp_path: Path) -> None:
    rows = [event(), event(user_id="u2", event_type="stare"), event(event_type="impression")]
    log = clean(tmp_path, rows)
    features = learn(tmp_path, log)
    assert log.event_types == {"impression": 1, "stare": 1, "view": 1}
    assert ids(features.user_ids) == ["u1"]
    assert rows_by(features.users, "user_id")["u2"]["events"] == 1


def test_the_weights_table_is_the_settings(tmp_path: Path) -> None:
    log = clean(tmp_path, [event(event_type="stare"), event(event_type="nod")])
    chosen = FeatureSettings(weights={"stare": 2.0, "nod": -0.5}, half_life_days=1e9)
    features = learn(tmp_path, log, chosen)
    assert cells(features, features.interactions) == pytest.approx({("u1", "i1"): 1.5})


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([event(event_type="stare"), event(event_type="dislike")], "dislike (1), stare (1)"),
        ([event(ts=AS_OF + timedelta(days=1))], "no events"),
        ([event(), event(event_type="dislike")], "dislike (1), view (1)"),
    ],
)
def test_a_log_that_says_nothing_stops_the_night(
    tmp_path: Path, rows: list[Row], found: str
) -> None:
    log = clean(tmp_path, rows, now=AS_OF + timedelta(days=2))
    with pytest.raises(NothingToLearn) as raised:
        learn(tmp_path, log)
    assert str(raised.value) == (
        f"{log.events}: up to 2026-03-01 00:00 UTC it holds {found}; none says anything for an "
        "item. Types with a positive weight: purchase, like, add_to_cart, wishlist_add, rating, "
        "click, view. Check --as-of, or name your types in NIGHTSHELF_FEATURES__WEIGHTS."
    )


def test_weights_that_could_not_be_added_up_exactly_stop_the_night(tmp_path: Path) -> None:
    views = [event(ts=AS_OF - timedelta(seconds=seconds)) for seconds in (1, 2)]
    log = clean(tmp_path, views)
    most = FeatureSettings(weights={"view": 2.0**29}, half_life_days=1e9)
    features = learn(tmp_path, log, most)
    assert cells(features, features.interactions) == {("u1", "i1"): pytest.approx(2.0**30)}
    with pytest.raises(SettingsError, match="NIGHTSHELF_FEATURES__WEIGHTS smaller"):
        learn(tmp_path, log, FeatureSettings(weights={"view": 2.0**30}, half_life_days=1e9))


def test_the_same_log_gives_the_same_bytes(tmp_path: Path) -> None:
    kinds = ("view", "purchase", "rating", "dislike")
    rows = [
        event(
            user_id=f"u{n * 7 % 211}",
            item_id=f"i{n * 5 % 61}",
            event_type=kinds[n * 11 % 4],
            ts=AS_OF - timedelta(minutes=n * 37),
            value=n % 50 / 7,
        )
        for n in range(6_000)
    ]
    items = [item(f"i{n}", category=f"c{n % 7}") for n in range(61)]
    users = [{"user_id": f"u{n}", "segment": "ab"[n % 2]} for n in range(300)]
    nights = {}
    for name, order in (("one", 1), ("again", 1), ("backwards", -1)):
        log = clean(tmp_path / name, rows[::order], items[::order], users[::order])
        nights[name] = bytes_of(log, learn(tmp_path / name, log))
    assert len(nights["one"]) == 11
    assert nights["one"] == nights["again"] == nights["backwards"]


def test_a_type_without_a_weight_is_counted_and_said(tmp_path: Path) -> None:
    """Purchases were renamed; impressions weigh 0 on purpose, and profile updates are idle."""
    kinds = ["view"] * 6 + ["order"] * 3 + ["impression", "wave"] + ["profile_update"] * 5
    rows = [event(event_type=kind, event_id=str(n)) for n, kind in enumerate(kinds)]
    log = clean(tmp_path, rows, ITEMS, settings=EventSettings(idle=("profile_update",)))
    features = learn(tmp_path, log)
    assert features.unweighed == {"order": 3, "wave": 1}
    assert (features.n_teaching, features.n_unweighed) == (6, 4)
    assert features.warnings == (
        "4 of 11 events teach nothing, since no weight is set for their type: 'order' (3, 27.3%), "
        "'wave' (1, 9.1%). Name them in [features.weights], with 0 if they are to teach nothing, "
        "or in events.idle.",
    )
    weights = FeatureSettings().weights | {"order": 5.0, "wave": 0.0}
    named = learn(tmp_path / "named", log, FeatureSettings(weights=weights))
    assert (named.unweighed, named.n_teaching, named.warnings) == ({}, 9, ())


def test_types_that_act_but_weigh_nothing_are_said_too(tmp_path: Path) -> None:
    """Own weights take the place of all others, and what is masked teaches no more for it."""
    log = clean(tmp_path, [event(event_type="view"), event(event_type="purchase")], ITEMS)
    assert learn(tmp_path, log, FeatureSettings(weights={"view": 1.0})).unweighed == {"purchase": 1}


def test_of_many_types_without_a_weight_the_largest_are_named() -> None:
    types = {f"t{at}": at for at in range(1, 9)} | {"view": 64}
    (said,) = unweighed_words(types, FeatureSettings())
    assert said.startswith("36 of 100 events teach nothing")
    assert "'t8' (8, 8.0%), 't7' (7, 7.0%)" in said
    assert "'t4' (4, 4.0%) and 3 more types. Name" in said


@pytest.mark.parametrize(("n_without", "warns"), [(0, False), (1, True), (5, True)])
def test_a_catalogue_without_categories_is_said(
    tmp_path: Path, n_without: int, *, warns: bool
) -> None:
    items = [item(row["item_id"], category=None) for row in ITEMS[:n_without]]
    features = learn(tmp_path, clean(tmp_path, [LESSON], [*items, *ITEMS[n_without:]]))
    assert features.n_uncategorised == n_without
    assert bool(features.warnings) == warns
    if warns:
        assert f"{n_without} of 5 items ({n_without / 5:.1%}) have no category" in str(features)
