"""Verdicts on planted effects, on none, and on broken assignments."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tasks.experiments.definition import Metric, WeightedVariant
from tasks.readout.figures import difference, of_variant, strata
from tasks.readout.records import Figure, Readout
from tasks.readout.sums import Row
from tasks.statistics.moments import total
from tests.tasks.readout.simulated import (
    COUNTED,
    DEFINITION,
    EVEN,
    START,
    day_of_users,
    judged,
    two_weeks,
)


def figure(found: Readout, metric: str, variant: str = "b") -> Figure:
    return next(f for f in found.figures if (f.metric, f.variant) == (metric, variant))


def test_a_planted_lift_is_found_within_its_interval() -> None:
    found = judged(two_weeks(1, 2_000, (0.05, 0.06)))
    (verdict,) = found.verdicts
    assert (found.valid, verdict.outcome, verdict.variant) == (True, "better", "b")
    assert verdict.fraction < 1
    assert found.sentences[0].startswith("b is better than a: conversion +")
    own = figure(found, "conversion")
    assert own.adjusted and own.adjusted.se and own.plain.se
    assert own.adjusted.se < own.plain.se
    assert own.best.low is not None and own.best.high is not None
    assert own.best.low < 0.01 < own.best.high
    assert own.p_holm is not None and own.p_holm < 1e-3
    best = {belief.variant: belief.posterior for belief in found.beliefs}
    assert best["b"].p_best > 0.999
    assert best["a"].loss == pytest.approx(0.01, abs=0.004)


def test_no_effect_finds_none_and_says_so_at_the_planned_size() -> None:
    found = judged(two_weeks(2, 3_000, (0.05, 0.05)))
    (verdict,) = found.verdicts
    assert (verdict.outcome, verdict.fraction) == ("no difference found", 1.0)
    assert "a smaller effect may be there" in found.sentences[1]
    assert not found.breached
    # The look that reaches the planned users is the last: later days change nothing.
    more = judged([*two_weeks(2, 3_000, (0.05, 0.05)), *_later(9, 20_000, 0.05, 0.2)])
    assert more.verdicts[0].look == verdict.look
    assert more.verdicts[0].outcome == "no difference found"


def test_an_experiment_that_is_over_is_decided() -> None:
    ended = replace(DEFINITION, end=START + timedelta(days=14))
    rows = two_weeks(3, 100, (0.05, 0.055))
    (verdict,) = judged(rows, ended).verdicts
    assert verdict.fraction < 0.1
    assert verdict.outcome == "no difference found"
    assert verdict.bound == pytest.approx(1.96, abs=0.01)
    assert "it ended before these had come" in judged(rows, ended).sentences[1]
    (verdict,) = judged(rows, replace(ended, end=START + timedelta(days=15))).verdicts
    assert verdict.outcome == "undecided"


def _later(seed: int, n: int, *rates: float) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [day_of_users(rng, name, 20, n, rate) for name, rate in zip("ab", rates, strict=True)]


def test_few_users_are_undecided() -> None:
    found = judged(two_weeks(3, 100, (0.05, 0.055)))
    (verdict,) = found.verdicts
    assert verdict.outcome == "undecided"
    assert "more users decide it" in found.sentences[1]
    assert judged([]).sentences[0].startswith("No user counts yet")


def test_a_worse_variant_and_a_breached_guardrail() -> None:
    found = judged(two_weeks(4, 2_000, (0.05, 0.05), paid=8.0))
    (breach,) = found.breached
    assert (breach.metric, breach.variant) == ("revenue", "b")
    assert breach.high < 0
    assert found.sentences[0].startswith("Guardrail breached: revenue of b differs from a by -")
    worse = judged(two_weeks(5, 3_000, (0.06, 0.05)))
    assert worse.verdicts[0].outcome == "worse"


def test_of_harmful_events_fewer_are_better() -> None:
    dislikes = replace(DEFINITION, primary=Metric.named("dislike"), guardrails=())
    rows = two_weeks(5, 3_000, (0.06, 0.05))
    assert judged(rows, dislikes).verdicts[0].outcome == "worse"
    assert judged(rows, dislikes, harmful=frozenset({"dislike"})).verdicts[0].outcome == "better"


def test_lost_users_leave_no_verdict_and_the_day_is_named() -> None:
    rows = two_weeks(6, 1_000, (0.05, 0.08))
    lost = [row for row in rows if (row.variant, row.day.day) != ("b", 5)]
    rng = np.random.default_rng(1)
    found = judged([*lost, day_of_users(rng, "b", 3, 800, 0.08)])
    assert not found.valid
    assert (found.verdicts, found.guardrails, found.beliefs) == ((), (), ())
    assert found.sentences[0].startswith("No verdict: the users of the variants")
    assert "2026-03-05, phase 1" in found.sentences[0]
    assert judged(rows, shares={1: {"a": 0.6, "b": 0.4}}).valid is False
    assert judged(rows, shares={2: {"a": 0.5, "b": 0.5}}).valid is False  # an unknown phase


def test_phases_are_compared_each_by_itself() -> None:
    # The base rate falls while the better variant's share grows: pooled, it looks worse.
    rng = np.random.default_rng(7)
    rows = [
        day_of_users(rng, "a", 0, 36_000, 0.10),
        day_of_users(rng, "b", 0, 4_000, 0.11),
        day_of_users(rng, "a", 1, 4_000, 0.04, phase=2),
        day_of_users(rng, "b", 1, 36_000, 0.05, phase=2),
    ]
    found = judged(rows, shares={1: {"a": 0.9, "b": 0.1}, 2: {"a": 0.1, "b": 0.9}})
    assert found.valid
    own = figure(found, "conversion")
    assert own.plain.low is not None and own.plain.high is not None
    assert own.plain.low < 0.01 < own.plain.high
    assert own.plain.difference > 0
    pooled = [of_variant(strata(rows), name).mean("m0") for name in "ab"]
    assert pooled[1] < pooled[0]
    means = {each.variant: each.posterior.mean for each in found.beliefs}
    assert means["b"] > means["a"]
    assert [(part.kind, part.part) for part in found.parts[:2]] == [("phase", "1"), ("phase", "2")]


def test_a_returning_user_counts_in_the_phase_that_was_first() -> None:
    rng = np.random.default_rng(8)
    rows = [day_of_users(rng, name, 0, 500, 0.05) for name in "ab"]
    again = [
        replace(row, phase=2, day=row.day + timedelta(days=1), is_returning=True) for row in rows
    ]
    found = judged([*rows, *again], shares=EVEN | {2: EVEN[1]})
    assert found.users == {"a": 500, "b": 500}
    assert [part.users for part in found.parts if part.kind == "phase"] == [1_000, 1_000]
    assert difference(COUNTED.measures[0], strata([*rows, *again]), "a", "b", alpha=0.05)


def test_three_variants_and_segments() -> None:
    three = replace(DEFINITION, variants=(*DEFINITION.variants, WeightedVariant("c", "ease")))
    rng = np.random.default_rng(9)
    rows = [
        day_of_users(rng, name, day, 1_500, rate, segment=segment)
        for day in range(5)
        for segment in ("gold", "new")
        for name, rate in zip("abc", (0.05, 0.05, 0.07), strict=True)
    ]
    found = judged(rows, three, {1: dict.fromkeys("abc", 1 / 3)})
    assert {each.variant: each.outcome for each in found.verdicts}["c"] == "better"
    ps = {each.variant: each.p_holm for each in found.figures if each.metric == "conversion"}
    c = figure(found, "conversion", "c")
    assert c.best.p is not None and ps["c"] == pytest.approx(4 * c.best.p)
    segments = [part for part in found.parts if part.kind == "segment"]
    assert {(part.part, part.variant) for part in segments} == {
        (segment, name) for segment in ("gold", "new") for name in "bc"
    }
    assert sum(b.posterior.p_best for b in found.beliefs) == pytest.approx(1)
    assert total(row.moments for row in rows).n == sum(found.users.values())
    assert START.date() == rows[0].day
