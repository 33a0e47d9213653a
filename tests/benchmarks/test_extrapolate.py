"""Extrapolation: the measured log comes out as measured; the page has what the command prints."""

import pytest

from benchmarks._log import LogSize
from benchmarks._measured import LARGE, NIGHT
from benchmarks.extrapolate import bounds, gb_at_once, gb_in_shards, step_by_step, tables
from tests.conftest import ROOT

PAGE = (ROOT / "docs/scale.md").read_text()


def test_the_measured_night_comes_out_as_measured() -> None:
    measured_s = sum(step.seconds for step in NIGHT.values())
    assert bounds(LARGE) == pytest.approx((measured_s, measured_s))
    for name, step in NIGHT.items():
        assert gb_at_once(step, LARGE) == pytest.approx(step.gb)
        assert gb_in_shards(name, LARGE) == pytest.approx(step.gb)


def test_seconds_are_the_product_of_growth_and_exponents() -> None:
    step = NIGHT["clean_events"]
    twice = LogSize(LARGE.users, LARGE.items, 2 * LARGE.events)
    least_s, most_s = bounds(twice)
    assert least_s < most_s < 2 * sum(each.seconds for each in NIGHT.values())
    powers = f"1^{step.users:g} x 1^{step.items:g} x 2^{step.events:g}"
    assert f"{step.seconds:g} s x {powers}" in step_by_step(twice)


def test_the_page_has_what_the_commands_print() -> None:
    for table in tables().split("\n\n"):
        assert table in PAGE
    assert step_by_step(LogSize(20_000_000, 200_000, 1_000_000_000)) in PAGE
