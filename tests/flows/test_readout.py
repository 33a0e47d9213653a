"""The readout flow's own part: alarms, and the stop of an experiment by a breach."""

from dataclasses import replace

import numpy as np
import pytest
from redis import Redis

from flows.readout import alarms_of
from nightshelf.contract.experiment import STOPPED, Experiment, Variant
from tasks.settings import Settings, load_settings
from tests.lookup.experiments import live_experiments
from tests.lookup.shelves import publish
from tests.tasks.readout.simulated import DEFINITION, day_of_users, judged, two_weeks

OWN = Experiment("exp", 3, ((0, 10_000),), (Variant("a", "als", ((0, 10_000),)),))
STOPPING = replace(DEFINITION, auto_stop=True)


@pytest.fixture
def settings(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("REDIS_URL", redis_url)
    return load_settings("shop")


def test_a_breach_stops_an_experiment_that_asks_for_it(
    redis_client: Redis, settings: Settings
) -> None:
    publish(redis_client, experiments=(OWN,))
    breached = judged(two_weeks(4, 2_000, (0.05, 0.05), paid=8.0), STOPPING)
    (alarm,) = alarms_of(breached, DEFINITION, settings, "shop")
    assert alarm.startswith("experiment exp: Guardrail breached: revenue of b differs from a")
    assert live_experiments(redis_client) == (OWN,)
    _, said = alarms_of(breached, STOPPING, settings, "shop")
    assert "phase 3 is stopped for all readers, as auto_stop asks" in said
    assert [each.status for each in live_experiments(redis_client)] == [STOPPED]


def test_one_that_is_published_no_more_is_said_not_to_be_stopped(
    redis_client: Redis, settings: Settings
) -> None:
    publish(redis_client)
    breached = judged(two_weeks(4, 2_000, (0.05, 0.05), paid=8.0), STOPPING)
    _, said = alarms_of(breached, STOPPING, settings, "shop")
    assert said == "experiment exp: not stopped: no experiment 'exp'; published: none"


def test_an_alarm_is_raised_for_lost_users_and_for_nothing_else(settings: Settings) -> None:
    rows = two_weeks(6, 1_000, (0.05, 0.05))
    assert list(alarms_of(judged(rows), STOPPING, settings, "shop")) == []
    lost = judged([*rows, day_of_users(np.random.default_rng(1), "a", 3, 900, 0.05)])
    (alarm,) = alarms_of(lost, STOPPING, settings, "shop")
    assert alarm.startswith("experiment exp: No verdict")
