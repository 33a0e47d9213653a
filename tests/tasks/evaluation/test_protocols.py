"""A log divided by time and by last event: a plain definition, and nothing held out leaks back."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from hashlib import md5
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.evaluation.protocols import Split, by_time, last_event
from tasks.features.build import build_features
from tasks.runs.run_folder import Run
from tests.tasks.evaluation.test_backtest import CUT, DAYS, MOMENT, RECIPE, random_log
from tests.tasks.small_models import AS_OF, Event, make_log

ALL = 1_000_000
WEIGHTS, SEEN = RECIPE.features.weights, RECIPE.features.seen
DAY = timedelta(days=1)


def split_of(root: Path, events: list[Event], protocol: str, n_users: int = ALL) -> Split:
    run = Run("shop", 1, AS_OF, root)
    log = make_log(run, events, {f"i{at:02}": {"category": "c"} for at in range(30)})
    if protocol == "by_time":
        return by_time(run, log, RECIPE.features, DAYS, n_users)
    return last_event(run, log, RECIPE.features, n_users)


def relevant_of(split: Split) -> dict[str, set[str]]:
    users = split.user_ids.to_pylist()
    found: dict[str, set[str]] = {user: set() for user in users}
    for row, item in zip(split.rows.tolist(), split.item_ids.to_pylist(), strict=True):
        found[users[row]].add(item)
    assert split.n_relevant.tolist() == [len(found[user]) for user in users]
    return found


def known_of(split: Split) -> list[Event]:
    rows = pq.read_table(split.known.events).to_pylist()
    assert len(rows) == split.known.n_events == sum(split.known.event_types.values())
    return [
        (row["user_id"], row["item_id"], row["event_type"], row["ts"].replace(tzinfo=AS_OF.tzinfo))
        for row in rows
    ]


def relevant_by_time(events: Iterable[Event]) -> dict[str, set[str]]:
    took, seen = defaultdict(set), defaultdict(set)
    for user, item, kind, ts in events:
        if ts >= CUT and WEIGHTS.get(kind, 0) > 0:
            took[user].add(item)
        if ts < CUT and kind in SEEN:
            seen[user].add(item)
    return {user: took[user] - seen[user] for user in sorted(took) if took[user] - seen[user]}


def last_items(events: Iterable[Event]) -> dict[str, tuple[str, datetime]]:
    since: dict[str, dict[str, datetime]] = defaultdict(dict)
    for user, item, kind, ts in sorted(events, key=lambda event: event[3]):
        if WEIGHTS.get(kind, 0) > 0:
            since[user].setdefault(item, ts)
    found = {}
    for user, items in since.items():
        if len(items) > 1:
            ties = {item: md5(f"{user} {item}".encode()).hexdigest() for item in items}
            _, _, item = max((ts, ties[each], each) for each, ts in items.items())
            found[user] = item, items[item]
    return found


def without_last(events: list[Event], last: dict[str, tuple[str, datetime]]) -> list[Event]:
    """Return the events without each user's last item, and what the user did after it."""
    rest = []
    for event in events:
        item, since = last.get(event[0], ("", AS_OF))
        if event[0] not in last or (event[1] != item and event[3] <= since):
            rest.append(event)
    return rest


@pytest.mark.parametrize("seed", range(3))
def test_by_time_is_as_defined(tmp_path: Path, seed: int) -> None:
    events = [*random_log(seed), ("stranger", "i00", "view", AS_OF - MOMENT)]
    split = split_of(tmp_path, events, "by_time")
    expected = relevant_by_time(events)
    assert relevant_of(split) == expected
    assert "stranger" in expected
    assert sorted(known_of(split)) == sorted(event for event in events if event[3] < CUT)
    assert split.run.as_of == CUT


@pytest.mark.parametrize("seed", range(3))
def test_last_event_is_as_defined(tmp_path: Path, seed: int) -> None:
    events = [*random_log(seed), ("once", "i00", "view", AS_OF)]
    split = split_of(tmp_path, events, "last_event")
    expected = last_items(events)
    assert relevant_of(split) == {user: {expected[user][0]} for user in sorted(expected)}
    assert "once" not in expected
    assert sorted(known_of(split)) == sorted(without_last(events, expected))
    assert split.run.as_of == AS_OF


def test_others_are_not_judged_by_last_event_and_stay_as_they_are(tmp_path: Path) -> None:
    events = random_log(0)
    log = make_log(Run("shop", 1, AS_OF, tmp_path), events, {f"i{at:02}": {} for at in range(30)})
    expected = last_items(events)
    others = sorted(expected)[::2]
    run, ids = Run("shop", 2, AS_OF, tmp_path), pa.array(others, pa.string())
    split = last_event(run, log, RECIPE.features, ALL, ids)
    mine = {user: each for user, each in expected.items() if user not in others}
    assert relevant_of(split) == {user: {mine[user][0]} for user in sorted(mine)}
    assert sorted(known_of(split)) == sorted(without_last(events, mine))


@pytest.mark.parametrize("protocol", ["by_time", "last_event"])
def test_a_sample_of_users_is_the_same_in_each_run_and_part_of_a_larger_one(
    tmp_path: Path, protocol: str
) -> None:
    events = random_log(0)
    few, more, every = (
        relevant_of(split_of(tmp_path / str(n), events, protocol, n)) for n in (5, 9, ALL)
    )
    assert (len(few), len(more)) == (5, 9)
    assert few.items() <= more.items() <= every.items()
    again = split_of(tmp_path / "again", [e for e in events if e[0] in more], protocol, 5)
    assert relevant_of(again) == few


def poisoned_by_time(events: list[Event]) -> list[Event]:
    """Let other things happen after the cut."""
    late = [(f"u{n % 50:02}", f"i{n % 30:02}", "purchase", CUT + n * MOMENT) for n in range(1, 400)]
    return [event for event in events if event[3] <= CUT] + late


def poisoned_last(events: list[Event]) -> list[Event]:
    """Let each judged user take another item last, and do other things after it."""
    last = last_items(events)
    altered = without_last(events, last)
    for user, (item, since) in last.items():
        had = {event[1] for event in altered if event[0] == user} | {item}
        other = min({f"i{n:02}" for n in range(30)} - had)
        kinds = ("purchase", "view", "return")
        altered += [(user, other, kind, since + n * MOMENT) for n, kind in enumerate(kinds, 1)]
    return altered


@pytest.mark.parametrize(
    ("protocol", "poison"), [("by_time", poisoned_by_time), ("last_event", poisoned_last)]
)
def test_nothing_held_out_changes_a_byte_of_the_known_part_and_its_features(
    tmp_path: Path, protocol: str, poison: Callable[[list[Event]], list[Event]]
) -> None:
    def files(name: str, events: list[Event]) -> dict[str, bytes]:
        split = split_of(tmp_path / name, events, protocol)
        build_features(split.run, split.known, RECIPE.features)
        found = (p for p in split.run.folder.rglob("*") if p.suffix in (".parquet", ".npz"))
        return {str(p.relative_to(split.run.folder)): p.read_bytes() for p in found}

    events = random_log(1)
    before, after = files("clean", events), files("poisoned", poison(events))
    assert {"log/events.parquet", "features/interactions.npz"} < set(before)
    assert after == before
    old = [("u00", "i29", "purchase", CUT - 30 * DAY)]
    assert files("seen", events + old) != before


def test_no_event_after_the_cut_judges_nobody(tmp_path: Path) -> None:
    split = split_of(tmp_path, [("u", "i00", "view", CUT - MOMENT)], "by_time")
    assert (len(split.user_ids), len(split.rows), len(split.item_ids)) == (0, 0, 0)
    split = split_of(tmp_path / "last", [("u", "i00", "view", CUT - MOMENT)], "last_event")
    assert len(split.user_ids) == 0
