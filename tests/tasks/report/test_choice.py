"""The section on tonight's blend: what was chosen, on what grounds, and at what price."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from tasks.choose.choice import Choice
from tasks.evaluation.gates import Verdict
from tasks.report.build import Report, write_report
from tasks.report.choice import change_text, choice_facts, choice_tables, choice_text
from tasks.report.facts import Outcome
from tasks.report.headline import judge
from tasks.report.settings import Targets
from tests.tasks.report.test_build import MEASURED, Page, hostile_night, measured
from tests.tasks.report_night import Night

SPANS = {"learning": 60.0, "profile": 7.0, "popular": 3.0}
WEIGHTS = {"als": 1.0, "graph": 0.5, "popular": 0.25}
BOTH = ("by time", "last event")


def both(by_time: float, last_event: float) -> dict[str, float]:
    return dict(zip(BOTH, (by_time, last_event), strict=True))


CHOICE = Choice(
    evidence=Path("choice.json"),
    why="It is the simplest.",
    spans=SPANS,
    fallback_days=7.0,
    weights=WEIGHTS,
    by_history={"1": [0.0, 0.0, 1.0]},
    held=False,
    days=7,
    n_candidates=22,
    n_judged={"by time": 1_234, "last event": 2_000},
    ndcg=both(0.08, 0.06),
    ndcg_error=both(0.002, 0.002),
    popular_ndcg=both(0.07, 0.05),
    ahead_error=both(0.004, 0.004),
)


def candidate(
    weights: tuple[float, float, float], worth: float, behind: float | None, learning: float = 60.0
) -> dict[str, Any]:
    return {
        "half_lives_days": SPANS | {"learning": learning},
        "weights": dict(zip(WEIGHTS, weights, strict=True)),
        "worth": worth,
        "ndcg_at_10": both(worth / 10, worth / 20),
        "standard_errors_behind_the_choice": behind,
    }


EVIDENCE = {
    "candidates": [
        candidate((1.0, 1.0, 1.0), 0.95, -0.4),
        candidate((1.0, 0.5, 0.25), 0.9, 0.0),
        *(candidate((1.0, 1.0, at / 100), 0.8, 1.5) for at in range(6)),
        candidate((0.0, 1.0, 0.05), 0.6, 4.0) | {"half_lives_days": SPANS | {"popular": 30.0}},
        {**candidate((0.0, 0.0, 1.0), 0.5, None), "half_lives_days": dict(SPANS, learning=0.0)},
        candidate((1.0, 0.0, 0.0), 0.4, 6.25),
    ],
    "buckets": [
        {"history": "1", "protocol": part, "users": 300, "ndcg_at_10": 0.05}
        | {"popular_ndcg_at_10": 0.04, "ahead_error": error}
        for part, error in (("by time", 0.004), ("last event", 0.0))
    ],
    "rules": [
        {"lists": "score alone", "ndcg_at_10": both(0.08, 0.06)}
        | {"price": both(0.0, 0.0), "price_error": both(0.0, 0.0)},
        {"lists": "category rule", "ndcg_at_10": both(0.078, 0.066)}
        | {"price": both(-0.002, 0.006), "price_error": both(0.0004, 0.0006)},
    ],
}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return hostile_night(tmp_path)


def saved(night: Night, choice: Choice, evidence: Mapping[str, Any] = EVIDENCE) -> Choice:
    """Write `choice.json` as the step does."""
    blank: dict[str, Any] = {"candidates": [], "buckets": [], "rules": []}
    path = night.run.path("choice.json")
    facts = asdict(choice) | {"evidence": None} | (blank if choice.held else dict(evidence))
    path.write_bytes(orjson.dumps(facts))
    return replace(choice, evidence=path)


def written(night: Night, choice: Choice, seconds: float = 10.0) -> Report:
    night.run.note("choose_blend", seconds, None)
    metrics = replace(measured(night), coverage=0.6, diversity=0.8)
    outcome = Outcome(metrics, None, Verdict(()), "live", None, choice)
    return write_report(night.run, night.made, night.staged, outcome, Targets())


def rows_of(choice: dict[str, Any] | None) -> dict[str, list[tuple[str, ...]]]:
    return {table.caption: list(map(tuple, table.rows)) for table in choice_tables(choice)}


def test_json_has_all_of_the_choice(night: Night) -> None:
    facts = json.loads(written(night, saved(night, CHOICE)).json.read_text())
    found = facts["choice"]
    assert {name: found[name] for name in EVIDENCE} == EVIDENCE
    assert (found["why"], found["weights"], found["spans"]) == (CHOICE.why, WEIGHTS, SPANS)
    assert "evidence" not in found
    total = sum(line["seconds"] for line in facts["steps"])
    assert found["share_of_night"] == pytest.approx(10 / total)
    assert found["seconds"] == 10
    assert facts["warnings"] == []


def test_section_stands_in_page_and_markdown(night: Night) -> None:
    report = written(night, saved(night, CHOICE))
    page = Page(report.html.read_text())
    assert not page.open
    for text in (page.text, report.md.read_text()):
        assert "Tonight's blend" in text
        assert "It is the simplest. It is the first choice." in text
        assert "users' profiles by 7, recent popularity by 3" in text
        assert "judged by 1,234 users by time and 2,000 users last event" in text
        assert "The choice took 10.0 s, " in text
    markdown = report.md.read_text()
    assert "| any history | 1 | 0.5 | 0.25 |\n| 1 item | 0 | 0 | 1 |" in markdown
    rule = "| Category rule (topn.max\\_per\\_category) |"
    assert f"{rule} by time | - | 0.0780 | -2.5 % ± 1.0 |" in markdown
    assert f"{rule} last event | - | 0.0660 | +10.0 % ± 2.0 |" in markdown


def test_best_candidates_the_choice_and_each_part_alone_are_named(night: Night) -> None:
    rows = rows_of(choice_facts(saved(night, CHOICE), []))
    found = rows["Candidates: the best, and each part alone"]
    assert [row[0] for row in found] == [
        "als 1, graph 1, popular 1",
        "als 1, graph 0.5, popular 0.25: the choice",
        "als 1, graph 1",
        "als 1, graph 1, popular 0.01",
        "als 1, graph 1, popular 0.02",
        "graph 1, popular 0.05: best with graph alone",
        "popular 1: best with popular alone",
        "als 1: best with als alone",
    ]
    assert found[0][1:] == ("60, 7, 3", "0.0950", "0.0475", "-0.4")
    assert found[-2][1:] == ("-, 7, 3", "0.0500", "0.0250", "-")


def test_history_buckets_stand_beside_recent_popularity(night: Night) -> None:
    rows = rows_of(choice_facts(saved(night, CHOICE), []))
    assert rows["The choice by history, by time"] == [("1", "300", "0.0500", "0.0400", "+2.5")]
    assert rows["The choice by history, last event"][0][-1] == "-"


def test_change_is_a_warning_from_what_to_what(night: Night) -> None:
    before = {"half_lives_days": SPANS | {"popular": 30.0}, "weights": WEIGHTS | {"als": 0.0}}
    changed = replace(CHOICE, changed=True, before=before)
    report = written(night, saved(night, changed))
    says = (
        "the blend has changed, from graph 0.5, popular 0.25 (half-lives 60, 7, 30 days) to "
        "als 1, graph 0.5, popular 0.25 (60, 7, 3 days)"
    )
    assert json.loads(report.json.read_text())["warnings"] == [says]
    assert says in Page(report.html.read_text()).text
    same = replace(changed, changed=False)
    assert change_text(asdict(same)) == ""
    assert (
        "The night before chose the same." in choice_text(choice_facts(saved(night, same), []))[0]
    )


@pytest.mark.parametrize(
    ("seconds", "others", "over"), [(100.0, 200.0, False), (100.0, 199.0, True), (9.9, 0.0, False)]
)
def test_over_budget_is_said(night: Night, seconds: float, others: float, over: bool) -> None:
    steps = [{"step": "choose_blend", "seconds": seconds}, {"step": "top_n", "seconds": others}]
    text = choice_text(choice_facts(saved(night, CHOICE), steps))[-1]
    assert ("over budget. Lower choose.n_users" in text) == over


def test_held_settings_are_said_and_nothing_is_compared(night: Night) -> None:
    held = Choice(Path(), "The settings are held: choose.hold is set.", SPANS, 7.0, WEIGHTS)
    report = written(night, saved(night, held))
    text = Page(report.html.read_text()).text
    assert "The settings are held: choose.hold is set." in text
    assert "Candidates" not in text
    assert "Weights" in text
    assert not any("Offline" in row.figure for row in report.headline)
    bare = rows_of(choice_facts(saved(night, replace(held, weights={})), []))
    assert bare == {}


@pytest.mark.parametrize(("popular", "met"), [(0.07, True), (0.083, True), (0.085, False)])
def test_headline_is_of_the_choice_where_no_backtest_ran(
    night: Night, popular: float, met: bool
) -> None:
    choice = replace(CHOICE, popular_ndcg=both(popular, 0.05))
    row = judge(measured(night), None, Targets(), choice)[2]
    assert (row.figure, row.value, row.met) == ("Offline quality (NDCG@10)", "0.0800", met)
    assert row.target == (
        f"at least {popular - 0.004:.4f}: recent popularity's less a standard error, by time, on "
        "the days that the blend was chosen by"
    )
    assert judge(measured(night), MEASURED, Targets(), choice)[2].value == "0.0793"
