"""Deviations from the trailing median, on planted figures."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from tasks.watch.deviations import Deviation, History, deviation_figure, deviations
from tasks.watch.figures import Figure
from tasks.watch.rules import RULES
from tasks.watch.settings import WatchSettings

NOW = datetime(2026, 3, 10, 12, 20, tzinfo=UTC)
SETTINGS = WatchSettings()


def sizes(value: float, past: list[float], rule: str = "coverage", n: int | None = None) -> float:
    found = deviations(RULES, {rule: Figure(value, sample=n)}, {rule: past}, SETTINGS)
    return found[rule].size


def test_it_is_in_units_of_the_usual_spread() -> None:
    past = [0.50, 0.58, 0.42, 0.54, 0.46]  # MAD 0.04
    assert sizes(0.5, past) == 0
    assert sizes(0.5 - 3 * 1.4826 * 0.04, past) == pytest.approx(3)
    assert sizes(0.5 + 3 * 1.4826 * 0.04, past) == pytest.approx(3)


def test_still_figures_have_a_floor() -> None:
    assert sizes(0.525, [0.5] * 7) == pytest.approx(1)  # 5 % of the median
    assert sizes(0.01, [0.0] * 7) == pytest.approx(1)  # the rule's noise
    at_most = sizes(0.05 + 2 * (0.05 * 0.95 / 1000) ** 0.5, [0.05] * 7, "ctr", 1000)
    assert at_most == pytest.approx(2)  # the standard error of the sample


def test_noise_does_not_fire() -> None:
    generator, n_fired, n_nights = random.Random(7), 0, 400
    rates = [sum(generator.random() < 0.06 for _ in range(1500)) / 1500 for _ in range(n_nights)]
    for at in range(7, n_nights):
        n_fired += sizes(rates[at], rates[at - 7 : at], "ctr", 1500) > RULES["deviation"].warning  # type: ignore[operator]
    assert n_fired == 0
    assert sizes(0.03, rates[:7], "ctr", 1500) > 4  # and half of the clicks gone does


def test_too_few_and_too_small_are_left_out() -> None:
    figures = {"ctr": Figure(0.01, sample=999), "coverage": Figure(0.1), "hit_rate": Figure(None)}
    past = {"ctr": [0.5] * 9, "coverage": [0.5] * 3, "hit_rate": [0.9] * 9}
    assert deviations(RULES, figures, past, SETTINGS) == {}
    assert deviation_figure({}, RULES["deviation"], NOW).value is None


def test_the_largest_is_the_figure_and_all_are_named() -> None:
    found = {
        name: Deviation(RULES[name], 0.1, 0.5, size)
        for name, size in (("coverage", 5.0), ("diversity", 1.0), ("hit_rate", 9.0))
    }
    figure = deviation_figure(found, RULES["deviation"], NOW)
    assert figure.value == 9.0
    assert figure.says == (
        "Hit rate in Redis 10 %, usually 50 %; Catalogue coverage 10 %, usually 50 %"
    )


def test_a_pass_is_compared_with_this_time_of_day() -> None:
    history, start = History(), NOW - timedelta(days=12)
    for minutes in range(0, 12 * 24 * 60, 30):
        at = start + timedelta(minutes=minutes)
        history = history.with_pass({"ctr": Figure(float(at.hour), sample=1)}, at, days=8)
    past = history.at_this_time("ctr", NOW)
    assert sorted(set(past)) == [11.0, 12.0, 13.0]
    assert len(past) == 3 * 7 + 2  # seven whole days, and the hours at both ends of the eighth
    assert len(history.values["ctr"]) <= 8 * 24 + 1
    assert past == [
        float((NOW - timedelta(hours=ago)).hour)
        for ago in range(8 * 24, 22, -1)
        if (NOW - timedelta(hours=ago)).hour in (11, 12, 13)
    ]
