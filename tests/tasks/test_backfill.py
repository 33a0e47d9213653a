"""Past dates: nothing later leaks in, what is finished is kept, and dates do not meddle."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tasks import pipeline
from tasks.backfill import Make, find_date, make_date, make_lists, midnights, open_date, summarise
from tasks.errors import NothingToLearn, SettingsError
from tasks.evaluation.settings import EvaluateSettings
from tasks.ingest.contract import Inputs, InputSettings, check_inputs
from tasks.io.child_process import in_child_process
from tasks.models.als.settings import TrainSettings
from tasks.recommend.settings import TopNSettings
from tasks.runs.resume import adopt
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tests.tasks.logs import AS_OF, Row, event, item, read, write

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
DATES = (AS_OF - 7 * DAY, AS_OF)
#: What a date leaves, in the order in which it is made.
LEFT = {"features": "features", "model": "model", "lists": "lists", "report": "report.html"}
SETTINGS = Settings(
    train=TrainSettings(factors=4, iterations=3),
    topn=TopNSettings(n=6, page_size=3, max_per_category=2, explore_slots=1),
    evaluate=EvaluateSettings(backtest_days=3),
)


@dataclass
class Log:
    """Events of twenty days up to `AS_OF`, their catalogue and users, and what is added to them."""

    events: list[Row] = field(default_factory=list)
    items: list[Row] = field(default_factory=list)
    users: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(5)
        self.items += [item(f"i{n:02}", category=f"c{n % 4}", created_at=None) for n in range(16)]
        self.users += [
            {"user_id": f"u{n:02}", "segment": "ab"[n % 2], "created_at": None} for n in range(12)
        ]
        for n in range(300):
            ts = AS_OF - timedelta(hours=int(rng.integers(20 * 24)))
            who, what = f"u{rng.integers(15):02}", f"i{int(16 * rng.random() ** 2):02}"
            kind = str(rng.choice(["view", "purchase"]))
            row = event(user_id=who, item_id=what, event_type=kind, ts=ts, arrived_at=ts + MOMENT)
            self.events.append(row | {"event_id": f"e{n}"})

    def checked(self, root: Path) -> Inputs:
        events = write(root / "events.parquet", self.events)
        items = write(root / "items.parquet", self.items)
        return check_inputs(events, items, write(root / "u.parquet", self.users), InputSettings())


def poison(since: datetime) -> Log:
    """Return the log with what happened, arrived or was made after a date: much, and strong."""
    log = Log()
    after, before = since + MOMENT, since - DAY
    for n in range(200):
        who, what = f"u{n % 25:02}", f"i{n % 16:02}"
        bought = event(user_id=who, item_id=what, event_type="purchase", event_id=f"p{n}")
        log.events.insert(n, bought | {"ts": after, "arrived_at": after})
        log.events.append(bought | {"ts": before, "arrived_at": after, "event_id": f"l{n}"})
        # The same event once more, told otherwise.
        log.events.append(log.events[n + 1] | {"ts": before, "arrived_at": after})
    for n, category in enumerate(("aa", "c1", "zz")):
        log.items.insert(n, item(f"h{n}", category=category, created_at=after, title="later"))
        bought = event(item_id=f"h{n}", event_type="purchase", ts=after, arrived_at=after)
        log.events.append(bought | {"event_id": f"h{n}"})
    log.users += [{"user_id": "u99", "segment": "later", "created_at": after}]
    return log


def files_of(run: Run) -> dict[str, bytes]:
    """Return what was computed; what was read, and counts of all rows, may differ."""
    judged = {"items.parquet", "quarantine.parquet"}
    found = [path for path in run.folder.rglob("*") if path.suffix in (".parquet", ".npz")]
    found += [run.folder / "curves.json", run.folder / "backtest/quality.json"]
    found += [run.folder / "choice.json", run.folder / "settings.json"]
    names = {path.relative_to(run.folder).as_posix(): path for path in found if path.exists()}
    return {name: path.read_bytes() for name, path in names.items() if name not in judged}


def made(root: Path, log: Log, as_of: datetime, make: Make = "report") -> Run:
    run = open_date(root / "runs", "shop", as_of)
    make_date(run, log.checked(root), SETTINGS, make)
    return run


@pytest.mark.parametrize(("as_of", "make"), [(DATES[0], "lists"), (DATES[1], "report")])
def test_nothing_after_a_date_changes_a_byte_of_it(
    tmp_path: Path, as_of: datetime, make: Make
) -> None:
    before = Log()
    before.events = [row for row in before.events if row["arrived_at"] <= as_of]
    clean = files_of(made(tmp_path / "clean", before, as_of, make))
    assert {"features/items.parquet", "features/seen.npz", "features/users.parquet"} <= set(clean)
    assert {"model/blend/item_factors.parquet", "lists/lists.parquet"} <= set(clean)
    assert {"choice.json", "lists/popular.parquet", "lists/similar.parquet"} <= set(clean)
    assert ({"curves.json", "backtest/quality.json"} <= set(clean)) == (make == "report")
    poisoned = poison(as_of)
    assert files_of(made(tmp_path / "poisoned", poisoned, as_of, make)) == clean

    seen = made(tmp_path / "seen", poisoned, as_of + MOMENT, "lists")
    changed = {name for name, content in files_of(seen).items() if clean.get(name) != content}
    assert {"features/items.parquet", "features/users.parquet", "lists/lists.parquet"} <= changed


def test_what_has_happened_by_a_date_is_known_though_its_item_says_it_came_later(
    tmp_path: Path,
) -> None:
    log = Log(items=[item("early", category="c0", created_at=AS_OF + DAY)])
    log.events.append(event(item_id="early", event_id="x", arrived_at=None))
    run = made(tmp_path, log, AS_OF, "features")
    rows = {row["item_id"]: row["available"] for row in read(run.folder / "features/items.parquet")}
    assert rows["early"] is False
    assert len(rows) == 17


@pytest.mark.parametrize("make", LEFT)
def test_a_date_is_made_as_far_as_asked(tmp_path: Path, make: Make) -> None:
    run = made(tmp_path, Log(), AS_OF, make)
    wanted = list(LEFT)[: list(LEFT).index(make) + 1]
    there = [name for name, what in LEFT.items() if (run.folder / what).exists()]
    assert there == wanted
    found = summarise(run)
    assert (found.events, found.users, found.items) == (300, 15, 16)
    assert (found.coverage is None) == (found.ndcg_at_10 is None) == (make != "report")


def test_a_report_says_that_nothing_was_published(tmp_path: Path) -> None:
    run = made(tmp_path, Log(), AS_OF)
    facts = json.loads((run.folder / "report.json").read_text())
    assert (facts["night"]["state"], facts["memory"], facts["gates"]) == ("not published", None, [])
    assert facts["lists"]["n_seen"] == facts["lists"]["n_unavailable"] == 0
    assert (
        facts["choice"]["weights"]
        == json.loads((run.folder / "choice.json").read_text())["weights"]
    )
    for name in ("report.html", "report.md"):
        page = (run.folder / name).read_text()
        assert "as they were computed: nothing of them was published" in page
        assert "from Redis" not in page
        assert "a user**" not in page


def test_a_date_that_broke_off_goes_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    whole = files_of(made(tmp_path / "whole", log, AS_OF, "lists"))
    with monkeypatch.context() as patch, pytest.raises(TypeError):
        patch.setattr(pipeline, "top_n", None)
        made(tmp_path, log, AS_OF, "lists")
    run = made(tmp_path, log, AS_OF, "lists")
    taken = [line["step"] for line in run.steps() if "taken_from" in line]
    assert taken == [
        *("clean_events", "known_items", "choose_blend"),
        *("build_features", "count_popularity", "train_blend"),
    ]
    assert files_of(run) == whole


def test_a_date_is_kept_while_it_is_the_same_and_whole(tmp_path: Path) -> None:
    log, root = Log(), tmp_path / "runs"
    inputs = log.checked(tmp_path)
    run = made(tmp_path, log, AS_OF, "lists")

    def kept(make: Make, as_of: datetime = AS_OF, settings: Settings = SETTINGS) -> Run | None:
        return find_date(root, "shop", as_of, inputs, settings, make)

    assert kept("features") == kept("model") == kept("lists") == run
    assert kept("report") is None
    assert kept("lists", AS_OF - DAY) is None
    assert kept("lists", settings=SETTINGS.model_copy(update={"topn": TopNSettings(n=5)})) is None
    (run.folder / "model/blend/user_factors.parquet").write_bytes(b"")
    assert kept("lists") is None


def test_two_dates_at_once_are_what_they_are_in_turn(tmp_path: Path) -> None:
    log = Log()
    inputs = log.checked(tmp_path)
    in_turn = [files_of(made(tmp_path / "in-turn", log, as_of, "lists")) for as_of in DATES]
    runs = [open_date(tmp_path / "at-once", "shop", as_of) for as_of in DATES]

    def start(run: Run) -> None:
        in_child_process(2, lambda _: None, make_date, run, inputs, SETTINGS, "lists")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(start, runs))
    assert [files_of(run) for run in runs] == in_turn


def test_lists_that_were_adopted_are_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    source = made(tmp_path, log, AS_OF, "lists")
    run = Run("shop", 7, AS_OF, tmp_path / "published")
    adopt(run, source)
    monkeypatch.setattr(
        "tasks.models.als.train.AlternatingLeastSquares", None
    )  # to train would fail
    lists, _, _ = make_lists(run, log.checked(tmp_path), SETTINGS)
    assert lists.own.path == run.folder / "lists/lists.parquet"
    assert lists.log.items == run.folder / "known/items.parquet"
    assert run.steps()[-1]["taken_from"] == source.generation


def test_a_date_before_the_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(NothingToLearn, match="up to 2025-01-01"):
        made(tmp_path, Log(), datetime(2025, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("end", "step", "days"),
    [((2026, 2, 1), 1, [1]), ((2026, 2, 3), 1, [1, 2, 3]), ((2026, 2, 28), 7, [1, 8, 15, 22])],
)
def test_dates_are_midnights_from_start_to_end(
    end: tuple[int, int, int], step: int, days: Sequence[int]
) -> None:
    found = midnights(date(2026, 2, 1), date(*end), step)
    assert found == [datetime(2026, 2, day, tzinfo=UTC) for day in days]


@pytest.mark.parametrize(
    ("end", "said"), [(date(2026, 1, 31), "lies before start"), (date(9999, 1, 1), "still to come")]
)
def test_dates_that_are_none_are_refused(end: date, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        midnights(date(2026, 2, 1), end, 365)


def test_each_date_has_a_number_of_its_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        runs = list(threads.map(lambda _: open_date(tmp_path, "shop", AS_OF), range(40)))
    assert sorted(run.generation for run in runs) == list(range(1, 41))
