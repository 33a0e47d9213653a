"""Nights that find rollups of earlier ones: the same bytes as a night that finds none."""

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.artifacts.records import CleanLog, Features
from tasks.features import rollup_plan
from tasks.features.build import build_features
from tasks.features.rollup_file import read_day, read_merged
from tasks.features.rollup_store import UNUSED_S
from tasks.features.settings import FeatureSettings
from tasks.ingest.daily_log import days_of, write_log
from tasks.io.parquet import write_table
from tasks.runs.run_folder import Run
from tests.tasks.logs import TYPES, Row, bytes_of, event, item, read

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
PLAIN = FeatureSettings()
OTHER = FeatureSettings(
    weights={"view": 2.0, "rating": -1.0, "wave": 1.0, "like": 3.0},
    half_life_days=3.0,
    seen=("view",),
    rating_types=("like",),
    view_types=("wave",),
)


@pytest.fixture(autouse=True, scope="module")
def every_day_is_kept() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup_plan, "_FEW_EVENTS", 0)
        yield


@dataclass
class Shop:
    """A log in memory, and nights over it; the events of an item that is gone are bad."""

    root: Path
    events: list[Row] = field(default_factory=list)
    items: list[str] = field(default_factory=lambda: ["i1", "i2", "i3"])
    as_of: datetime = AS_OF
    settings: FeatureSettings = PLAIN
    n_nights: int = 0

    @property
    def store(self) -> Path:
        return self.root / "shop" / "rollups"

    def clean(self, run: Run) -> CleanLog:
        """Write the clean log of a night."""
        rows = [row for row in self.events if row["item_id"] in self.items]
        rows.sort(key=lambda row: tuple(str(row.get(name)) for name in ("ts", *TYPES)))
        relations = {
            "events": (rows, ("user_id", "item_id", "event_type", "ts", "value", "session_id")),
            "items": (
                [item(each, category=f"c{int(each[1:]) % 2}") for each in sorted(self.items)],
                ("item_id", "category", "title", "price", "available", "created_at", "tags"),
            ),
            "users": ([], ("user_id", "segment", "created_at")),
        }
        paths = {}
        for name, (content, columns) in relations.items():
            schema = pa.schema([(column, TYPES[column]) for column in columns])
            naive = [
                row | {"ts": row["ts"].replace(tzinfo=None)} if "ts" in row else row
                for row in content
            ]
            table = pa.Table.from_pylist(naive, schema)
            paths[name] = run.path(f"{name}.parquet")
            if name == "events":
                write_log(paths[name], table.schema, table.to_batches(max_chunksize=3))
            else:
                write_table(paths[name], table)
        return CleanLog(
            events=paths["events"],
            items=paths["items"],
            users=paths["users"],
            quarantine=run.path("quarantine.parquet"),
            rows_read=len(rows),
            n_events=len(rows),
            n_items=len(self.items),
            n_duplicates=0,
            n_after_as_of=0,
            n_quarantined=0,
            quarantined={},
            event_types={},
            set_aside={},
        )

    def night(self) -> Features:
        """Run a night; see that one which finds nothing gives the same bytes."""
        self.n_nights += 1
        run = Run("shop", self.n_nights, self.as_of, self.root)
        log = self.clean(run)
        found = build_features(run, log, self.settings)
        cold = Run(f"cold-{self.n_nights}", 1, self.as_of, self.root)
        expected = build_features(cold, log, self.settings)
        assert bytes_of(found) == bytes_of(expected)
        assert found.n_days == expected.n_days == expected.n_days_new == len(self.contents())
        return found

    def contents(self) -> set[tuple[date, str]]:
        """Return what each day's clean events say, defined without a file."""
        said: defaultdict[date, list[str]] = defaultdict(list)
        for row in self.events:
            if row["item_id"] in self.items:
                columns = ("user_id", "item_id", "event_type", "ts", "value")
                said[row["ts"].date()].append(repr([row.get(name) for name in columns]))
        return {(day, "\n".join(sorted(rows))) for day, rows in said.items()}


def day(age_days: int, *users: str, **changes: Any) -> list[Row]:
    """Return a purchase of each user, some time on a day."""
    ts = AS_OF - timedelta(days=age_days) + timedelta(hours=5)
    return [
        event(user_id=user, ts=ts, **{"event_type": "purchase", "value": 2.5} | changes)
        for user in users
    ]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop with nine days, which its first night has added up and merged."""
    made = Shop(tmp_path)
    made.events = [row for age in range(1, 10) for row in day(age, "u1", f"u{age}")]
    assert made.night().n_days_new == 9
    return made


rows = st.builds(
    event,
    user_id=st.sampled_from(["a", "u1", "u2", "é", "zz"]),
    item_id=st.sampled_from(["i1", "i2", "i3"]),
    event_type=st.sampled_from(["purchase", "view", "rating", "like", "wave"]),
    ts=st.integers(0, 6 * 24 * 4).map(lambda quarters: AS_OF - timedelta(minutes=15 * quarters)),
    value=st.sampled_from([None, 0.0, 3.3, -1e12, 1e12]),
)
changes = st.fixed_dictionaries(
    {
        "more": st.lists(rows, max_size=5),
        "keep": st.lists(st.booleans(), min_size=40, max_size=40),
        "items": st.sampled_from([["i1", "i2", "i3"], ["i1", "i3"], ["i0", "i1", "i2", "i3"]]),
        "settings": st.sampled_from([PLAIN, PLAIN, OTHER]),
        "days_later": st.integers(0, 2),
    }
)


@pytest.mark.slow
@settings(max_examples=8)
@given(nights=st.lists(changes, min_size=2, max_size=3), max_loose=st.sampled_from([0, 2, 7]))
def test_any_nights_in_a_row_add_up_what_is_new_and_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, nights: list[dict[str, Any]], max_loose: int
) -> None:
    shop = Shop(tmp_path_factory.mktemp("nights"))
    known: set[tuple[date, str]] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup_plan, "_MAX_LOOSE", max_loose)
        for change in nights:
            kept = zip(shop.events, change["keep"], strict=False)
            shop.events = [row for row, keep in kept if keep or row["user_id"] == "regular"]
            shop.events += [*change["more"], *day(1, "regular", event_type="view")]
            shop.items, shop.settings = change["items"], change["settings"]
            shop.as_of += timedelta(days=change["days_later"])
            built = shop.night()
            assert built.n_days_new == len(shop.contents() - known)
            known |= shop.contents()


def a_new_day(shop: Shop) -> None:
    shop.as_of += timedelta(days=1)
    shop.events += day(0, "u1", "A")


def a_day_gone(shop: Shop) -> None:
    shop.events = [row for row in shop.events if row["ts"] > AS_OF - timedelta(days=8)]


def a_late_event(shop: Shop) -> None:
    shop.events += day(7, "late")


def a_corrected_event(shop: Shop) -> None:
    shop.events[4] = shop.events[4] | {"value": 2.6}


def an_event_that_was_none(shop: Shop) -> None:
    del shop.events[4]


def another_session(shop: Shop) -> None:
    shop.events[4] = shop.events[4] | {"session_id": "another"}


def other_settings(shop: Shop) -> None:
    shop.settings = FeatureSettings(half_life_days=7, seen=("view",), rating_types=("purchase",))


def a_new_item(shop: Shop) -> None:
    shop.items.insert(0, "i0")


def nothing(_: Shop) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "n_new"),
    [
        (nothing, 0),
        (a_new_day, 1),
        (a_day_gone, 0),
        (a_late_event, 1),
        (a_corrected_event, 1),
        (an_event_that_was_none, 1),
        (another_session, 0),
        (other_settings, 0),
        (a_new_item, 0),
    ],
)
def test_only_a_day_that_says_something_new_is_added_up(
    shop: Shop, change: Callable[[Shop], None], n_new: int
) -> None:
    change(shop)
    assert shop.night().n_days_new == n_new


def test_what_was_corrected_back_is_found_again(shop: Shop) -> None:
    before = list(shop.events)
    a_corrected_event(shop)
    shop.night()
    shop.events = before
    assert shop.night().n_days_new == 0


def test_values_that_no_64_bits_hold_are_added_up(tmp_path: Path) -> None:
    shop = Shop(tmp_path, settings=FeatureSettings(rating_types=("purchase",)))
    shop.events = [row for _ in range(30) for row in day(1, "u1", "u2", value=1e12)]
    user, _ = read(shop.night().users)
    assert (user["events"], user["avg_rating"]) == (30, 1e12)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def altered(path: Path) -> None:
    """Flip a bit of a number, which only a checksum can see."""
    found = (read_merged if path.suffix == ".arrow" else read_day)(path)
    assert found
    number = found[0].rows.last_us[-1:].tobytes()
    content = path.read_bytes()
    place = content.index(number)
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"user_id": ["u1"]}), path)


def of_another_day(path: Path) -> None:
    other = next(each for each in sorted(path.parent.glob("2026*")) if each != path)
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize("damage", [Path.unlink, cut, emptied, altered, foreign, of_another_day])
def test_what_is_damaged_is_made_again(shop: Shop, damage: Callable[[Path], None]) -> None:
    (merged,) = shop.store.glob("merged-*")
    paths = sorted(shop.store.glob("2026-*"))
    merged.unlink()
    for path in paths[:2]:
        damage(path)
    n_bad = 1 if damage is of_another_day else 2  # the second then got its own content back
    assert shop.night().n_days_new == n_bad
    assert shop.night().n_days_new == 0


@pytest.mark.parametrize("damage", [cut, emptied, altered, foreign, of_another_day])
def test_without_the_merged_one_the_days_are_found(
    shop: Shop, damage: Callable[[Path], None]
) -> None:
    (merged,) = shop.store.glob("merged-*")
    damage(merged)
    assert shop.night().n_days_new == 0


@pytest.mark.parametrize("n_kept", [0, 4, 9])
def test_a_writer_that_is_killed_leaves_what_it_had_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_kept: int
) -> None:
    shop = Shop(tmp_path)
    shop.events = [row for age in range(1, 10) for row in day(age, "u1")]
    replace, lock, left = Path.replace, threading.Lock(), [n_kept]

    def dying(path: Path, target: Path) -> Path:
        with lock:
            if "rollups" in path.parts:
                left[0] -= 1
            if left[0] < 0:
                raise SystemExit
        return replace(path, target)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Path, "replace", dying)
        shop.night()
    assert shop.night().n_days_new == 9 - n_kept


def test_nights_at_once_do_not_harm_each_other(shop: Shop) -> None:
    a_new_day(shop)
    runs = [Run("shop", 10 + number, shop.as_of, shop.root) for number in range(4)]
    logs = [shop.clean(run) for run in runs]
    built: dict[int, Features] = {}

    def work(number: int) -> None:
        built[number] = build_features(runs[number], logs[number], PLAIN)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = bytes_of(shop.night())
    assert [bytes_of(built[number]) for number in range(4)] == [expected] * 4


def test_what_no_night_uses_is_deleted_after_a_fortnight(shop: Shop) -> None:
    stray = shop.store / ".killed"
    stray.write_bytes(b"half")
    (merged,) = shop.store.glob("merged-*")
    a_day_gone(shop)
    gone = min(shop.store.glob("2026-*"))
    old = {path.name for path in shop.store.iterdir()}
    for path in shop.store.iterdir():
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - UNUSED_S + 60))
    shop.night()
    assert {path.name for path in shop.store.iterdir()} == old, "not yet"
    for path in (stray, gone, merged):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - UNUSED_S - 1))
    shop.night()
    assert {path.name for path in shop.store.iterdir()} == old - {stray.name, gone.name}


def test_days_are_merged_when_more_than_seven_are_loose(shop: Shop) -> None:
    def n_merged() -> int:
        return len(list(shop.store.glob("merged-*")))

    for _ in range(7):
        shop.as_of += timedelta(days=1)
        ts = shop.as_of - timedelta(hours=1)
        shop.events.append(event(user_id="u1", ts=ts, event_type="purchase"))
        assert shop.night().n_days_new == 1
    assert n_merged() == 1
    shop.events = [row for row in shop.events if row["user_id"] != "u9"]  # forgotten
    shop.events += day(-8, "u1")
    shop.as_of += timedelta(days=2)
    shop.night()
    assert n_merged() == 2
    newest = max(shop.store.glob("merged-*"), key=lambda path: path.stat().st_mtime_ns)
    found = read_merged(newest)
    assert found
    assert found[0].users.to_pylist()[:3] == ["u1", "u2", "u3"]
    assert "u9" not in found[0].users.to_pylist()


def test_a_day_is_called_by_what_it_says_however_it_comes(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.events = [row for age in (1, 2) for n in range(9) for row in day(age, f"u{n}", value=n)]
    log = shop.clean(Run("shop", 1, AS_OF, tmp_path))
    table = pq.read_table(log.events)
    again = tmp_path / "again.parquet"
    write_log(again, table.schema, table.to_batches(max_chunksize=5))
    assert days_of(again) == days_of(log.events)
    write_log(again, table.schema, table.slice(9).to_batches())
    assert [each.digest for each in days_of(again)] == [days_of(log.events)[1].digest]


def test_a_day_of_few_events_has_no_file_and_the_same_bytes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_plan, "_FEW_EVENTS", 3)
    kept = set(shop.store.iterdir())
    shop.events += [*day(0, "u1", "u2"), *day(-1, "u1", "u2", "u3")]
    shop.as_of += timedelta(days=2)
    assert shop.night().n_days_new == 2
    assert len(set(shop.store.iterdir()) - kept) == 1
    assert shop.night().n_days_new == 1, "what has no file is added up again"
