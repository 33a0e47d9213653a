"""The night's two steps: phases from a log with exposures, and what a flip makes of a stop."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf.admin import generations
from nightshelf.admin.experiments import stop
from tasks.artifacts.records import Provenance
from tasks.collector.event_schema import EVENTS
from tasks.experiments.definition import Definition, WeightedVariant
from tasks.experiments.history import History
from tasks.experiments.night import open_phases, record_phases
from tasks.experiments.tonight import Tonight
from tasks.ingest.contract import InputSettings, check_inputs
from tasks.ingest.settings import EventSettings
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import stage
from tasks.runs.run_folder import Run
from tests.tasks.logs import clean, event, item, write
from tests.tasks.small_models import AS_OF, make_shelves

VARIANTS = (WeightedVariant("control", "blend"), WeightedVariant("als", "als"))
MODELS = ["blend", "als"]
START = AS_OF - timedelta(days=10)
BANDIT = Definition("which", "h", VARIANTS, START, status="running", allocation="bandit")
#: By variant: exposed users, and how many of them buy.
SHOWN = {"control": (300, 60), "als": (300, 6)}


def log_of(folder: Path) -> Path:
    """Write a log: what users bought, and a day later than the first what they were shown."""
    bought, shown = [], []
    for variant, (n_users, n_buyers) in SHOWN.items():
        for at in range(n_users):
            user, ts = f"{variant}-{at}", AS_OF - timedelta(days=3)
            seen = {"experiment": "which", "variant": variant, "phase": 1, "item_id": "i1"}
            shown.append({"user_id": user, "event_type": "impression", "ts": ts, **seen})
            if at < n_buyers:
                bought.append(event(user_id=user, event_type="purchase", ts=ts))
    write(folder / "events/bought.parquet", bought)
    pq.write_table(pa.Table.from_pylist(shown, EVENTS), folder / "events/shown.parquet")
    return folder / "events"


class Nights:
    """Nights of one bandit over one log."""

    def __init__(self, root: Path, client: Redis) -> None:
        self.root, self.client, self.number = root, client, 0
        events, items = log_of(root), write(root / "items.parquet", [item("i1")])
        self.inputs = check_inputs(events, items, None, InputSettings())
        self.log = clean(root / "clean", events, items, settings=EventSettings(max_bad_share=1))

    def run(self, *definitions: Definition, live: bool = True) -> tuple[Run, Tonight]:
        """Open the phases of the next night; record, stage and flip it."""
        self.number += 1
        run = Run("shop", self.number, AS_OF + timedelta(days=self.number - 3), self.root / "runs")
        tonight = open_phases(run, self.client, definitions, self.inputs, self.log, {})
        recorded = record_phases(run, tonight, definitions, MODELS)
        assert recorded.n_phases == len(History(run.root, "shop").phases())
        made_from = Provenance(10, "", experiments=tonight.published(MODELS))
        stage(run, self.client, make_shelves(run), PublishSettings(), made_from)
        if live:
            generations.flip(self.client, "shop", run.generation)
        return run, tonight

    def published(self) -> list[tuple[int, str, list[Any]]]:
        live = generations.current(self.client, "shop")
        assert live
        return [(e.phase, e.status, [v.buckets for v in e.variants]) for e in live.experiments]


@pytest.fixture
def nights(redis_client: Redis, tmp_path: Path) -> Nights:
    return Nights(tmp_path, redis_client)


def test_a_bandit_learns_from_the_log_and_a_stop_holds_it(nights: Nights) -> None:
    even = [((0, 5000),), ((5000, 10000),)]
    for _ in range(2):
        nights.run(BANDIT)
        assert nights.published() == [(1, "running", even)]
    _, tonight = nights.run(BANDIT)
    assert nights.published() == [(2, "running", [((0, 5000), (5500, 10000)), ((5000, 5500),)])]
    outcomes = tonight.planned[0].outcomes
    assert outcomes
    assert (outcomes.users.tolist(), outcomes.converted.tolist()) == ([[300, 300]], [[60, 6]])

    stop(nights.client, "shop", "which")
    for _ in range(2):
        _, tonight = nights.run(BANDIT)
        assert [status for _, status, _ in nights.published()] == ["stopped"]
        assert tonight.models == (), "its models are not trained"
    nights.run()
    assert nights.published() == []


def test_a_phase_that_no_reader_has_seen_is_not_opened_twice(nights: Nights) -> None:
    fixed = Definition("fixed", "h", VARIANTS, START, status="running")
    for live in (True, False):
        nights.run(fixed, live=live)
    halved = Definition("fixed", "h", VARIANTS, START, status="running", traffic=0.5)
    nights.run(halved, live=False)
    nights.run(halved)
    assert [phase for phase, _, _ in nights.published()] == [2]
