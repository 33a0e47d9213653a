"""Nights of an experiment: phases that open and close, their history, and what is published."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from nightshelf.contract.experiment import STOPPED, Experiment
from tasks.experiments.bandit import Outcomes
from tasks.experiments.definition import Definition, WeightedVariant
from tasks.experiments.history import History
from tasks.experiments.phases import size
from tasks.experiments.tonight import Tonight, record, tonight_of
from tasks.runs.run_folder import Run

START = datetime(2026, 3, 1, tzinfo=UTC)
CONTROL, ALS = WeightedVariant("control", "blend"), WeightedVariant("als", "als")
FIXED = Definition("als-alone", "more buyers", (CONTROL, ALS), START, status="running", traffic=0.5)
BANDIT = replace(FIXED, id="which", allocation="bandit", traffic=1.0)


class Nights:
    """A namespace's nights, one after the other, with what readers have."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.history = History(root, "shop")
        self.live: tuple[Experiment, ...] = ()
        self.number = 0

    def run(
        self,
        *definitions: Definition,
        models: tuple[str, ...] = ("blend", "als"),
        outcomes: Outcomes | None = None,
        again: bool = False,
    ) -> Tonight:
        """Run the next night, or the same night again."""
        self.number += 1
        date = START + timedelta(days=self.number - 1 - again)
        found = {each.id: outcomes for each in definitions if each.allocation == "bandit"}
        bandits = {name: each for name, each in found.items() if each}
        tonight = tonight_of(self.history, definitions, self.live, bandits, date)
        run = Run("shop", self.number, date, self.root)
        record(self.history, tonight, definitions, run, models)
        self.live = tonight.published(models)
        return tonight

    def numbers(self) -> list[int]:
        """Return the numbers of the phases that readers have."""
        return [each.phase for each in self.live]


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def test_the_same_definition_keeps_its_phase(nights: Nights) -> None:
    first = nights.run(FIXED)
    record_ = nights.live[0]
    assert (record_.id, record_.phase, record_.status) == ("als-alone", 1, "running")
    assert (record_.start, record_.end) == ("2026-03-01T00:00:00+00:00", "")
    assert record_.traffic == ((0, 5000),)
    assert [each.buckets for each in record_.variants] == [((0, 5000),), ((5000, 10000),)]
    assert first.models == ("blend", "als")
    before = nights.live
    nights.run(FIXED)
    nights.run(replace(FIXED, minimum_detectable_effect=0.2), again=True)
    assert nights.live == before
    assert [row["since"].day for row in nights.history.definitions()] == [1, 2]


CHANGES = {
    "weight": {"variants": (replace(CONTROL, weight=3.0), ALS)},
    "traffic": {"traffic": 0.6},
    "model": {"variants": (CONTROL, replace(ALS, model="ease"))},
    "variant": {"variants": (CONTROL, ALS, WeightedVariant("graph", "graph"))},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_closes_a_phase_and_opens_the_next(nights: Nights, change: str) -> None:
    nights.run(FIXED)
    changed = replace(FIXED, **CHANGES[change])  # type: ignore[arg-type]
    nights.run(changed)
    nights.run(changed)
    first, second = nights.history.phases()
    assert (first.number, first.began, first.ended) == (1, START, START + timedelta(days=1))
    assert (second.number, second.began, second.ended) == (2, first.ended, None)
    assert nights.numbers() == [2]
    nights.run(FIXED)
    assert nights.numbers() == [3], "going back is a phase of its own"


def test_a_night_that_runs_again_opens_no_other_phase(nights: Nights) -> None:
    nights.run(FIXED)
    changed = replace(FIXED, traffic=1.0)
    nights.run(changed)
    before, phases = nights.live, nights.history.phases()
    nights.run(changed, again=True)
    assert (nights.live, nights.history.phases()) == (before, phases)


def test_a_lost_history_goes_on_from_what_is_live(nights: Nights, tmp_path: Path) -> None:
    nights.run(FIXED)
    nights.run(replace(FIXED, traffic=1.0))
    nights.history = History(tmp_path / "another", "shop")
    before = nights.live
    nights.run(replace(FIXED, traffic=1.0))
    assert nights.live == before
    nights.run(replace(FIXED, traffic=0.2))
    assert nights.numbers() == [3]


def test_what_ends_is_closed_and_published_no_longer(nights: Nights) -> None:
    nights.run(FIXED)
    nights.run(replace(FIXED, end=START + timedelta(hours=30)))
    assert nights.numbers() == [1]
    tonight = nights.run(replace(FIXED, end=START + timedelta(hours=30)))
    assert (nights.live, tonight.models) == ((), ())
    assert [each.ended for each in nights.history.phases()] == [START + timedelta(hours=30)]
    nights.run()
    assert len(nights.history.phases()) == 1
    nights.run(replace(FIXED, status="draft"))
    assert nights.live == ()


def test_a_stop_in_the_file_holds_until_it_runs_again(nights: Nights) -> None:
    nights.run(FIXED)
    tonight = nights.run(replace(FIXED, status="stopped"))
    assert [each.status for each in nights.live] == [STOPPED]
    assert tonight.models == ()
    nights.run(FIXED)
    assert [(each.phase, each.status) for each in nights.live] == [(2, "running")]


@pytest.mark.parametrize("definition", [FIXED, BANDIT])
def test_a_stop_by_hand_holds_until_another_phase_is_asked_for(
    nights: Nights, definition: Definition
) -> None:
    busy = Outcomes(np.array([[900, 900]]), np.array([[90, 10]]))
    for _ in range(4):
        nights.run(definition, outcomes=busy)
    number = nights.live[0].phase
    nights.live = (replace(nights.live[0], status=STOPPED),)
    for _ in range(2):
        tonight = nights.run(definition, outcomes=Outcomes(busy.users, busy.converted[:, ::-1]))
        assert [(each.phase, each.status) for each in nights.live] == [(number, STOPPED)]
        assert tonight.models == ()
    nights.run(replace(definition, traffic=0.25), outcomes=busy)
    assert [(each.phase, each.status) for each in nights.live] == [(number + 1, "running")]


def test_a_model_that_is_not_published_is_replaced_by_the_default(nights: Nights) -> None:
    tonight = nights.run(FIXED, models=("blend",))
    assert [(each.name, each.model) for each in nights.live[0].variants] == [
        ("control", "blend"),
        ("als", "blend"),
    ]
    (said,) = tonight.replaced(["blend"])
    assert said.startswith("experiment als-alone: variant als is served blend, the default")
    assert tonight.replaced(["blend", "als"]) == ()
    nights.run(FIXED)
    assert nights.numbers() == [1], "users keep their variant: it is the same phase"
    served = [(row["variant"], row["model"], row["served"]) for row in nights.history.allocations()]
    assert served[1::2] == [("als", "als", "blend"), ("als", "als", "als")]


def test_a_bandit_moves_after_two_nights_and_opens_a_phase_each_time(nights: Nights) -> None:
    few = Outcomes(np.array([[90, 90]]), np.array([[9, 1]]))
    good = Outcomes(np.array([[900, 900]]), np.array([[90, 60]]))
    better = Outcomes(np.array([[900, 900], [500, 500]]), np.array([[90, 60], [50, 20]]))
    for outcomes in (good, good, few):
        nights.run(BANDIT, outcomes=outcomes)
        assert nights.numbers() == [1]
    nights.run(BANDIT, outcomes=good)
    nights.run(BANDIT, outcomes=good)
    assert nights.numbers() == [2], "equal shares are the same phase"
    nights.run(BANDIT, outcomes=better)
    control, als = nights.live[0].variants
    assert size(control.buckets) == 9500
    assert size(als.buckets) == 500
    rows = [row for row in nights.history.allocations() if row["variant"] == "control"]
    assert [row["why"] for row in rows] == [
        "even split: night 1 of the first 2",
        "even split: night 2 of the first 2",
        "even split: 180 of 200 exposed users",
        *["by 1,800 exposed users"] * 2,
        "by 2,800 exposed users",
    ]
    assert rows[-1]["best"] == pytest.approx(1, abs=1e-3)


def test_the_history_is_queryable(nights: Nights, tmp_path: Path) -> None:
    nights.run(FIXED)
    nights.run(replace(FIXED, variants=(replace(CONTROL, weight=3.0), ALS)))
    files = f"{tmp_path}/shop/experiments"
    found = duckdb.execute(
        f"SELECT phase, variant, share, json_array_length(buckets) FROM '{files}/phases.parquet' "
        "WHERE NOT control ORDER BY phase"
    ).fetchall()
    assert found == [(1, "als", 0.5, 1), (2, "als", 0.25, 1)]
    assert not list(Path(files).glob(".*")), "nothing is left half written"
