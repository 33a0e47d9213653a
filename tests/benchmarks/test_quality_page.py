"""The page on quality has a place for each part that its command writes."""

from pathlib import Path

import pytest

from benchmarks import _quality_page as quality_page
from benchmarks._page import rewritten
from benchmarks._public_logs import SOURCES, Log
from tasks.evaluation.compare.tables import Table, markdown
from tasks.runs.run_folder import Run
from tests.tasks.evaluation.test_backtest import DAYS, night_of, planted

LOGS = ("sample-shop", *(source.title.lower().replace(" ", "-") for source in SOURCES))


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("part", ["models", "rules"])
def test_the_page_has_a_place_for_each_log(part: str, log: str) -> None:
    page = quality_page.PAGE.read_text()
    once = rewritten(page, f"quality_page, {part} on {log}", ["| new |"])
    assert "\n\n| new |\n\n" in once
    assert rewritten(once, f"quality_page, {part} on {log}", ["| new |"]) == once


def test_the_page_has_a_place_for_the_served_lists() -> None:
    assert "| new |" in rewritten(quality_page.PAGE.read_text(), "quality", ["| new |"])


def test_a_table_is_markdown() -> None:
    table = Table("T", "About.", ["name", "n"], [["a", "1"]], n_names=1)
    assert markdown(table) == ["About.", "", "| name | n |", "| --- | ---: |", "| a | 1 |"]


def test_models_and_rules_of_a_log_are_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHELF_TRAIN__FACTORS", "8")
    monkeypatch.setattr(quality_page, "RULES", {"plain": {}, "explore 1": {"explore_slots": 1}})
    night = night_of(tmp_path, planted())
    log = Log("Planted", Run("planted", 1, night.run.as_of, tmp_path / "runs"), night.log, DAYS)
    lines = list(quality_page.models(log))
    heads = [line for line in lines if line.startswith("#")]
    assert heads == [
        f"#### Planted: {title}"
        for title in (
            *("by time", "by time, by history", "last event", "last event, by history"),
            "one against 99",
        )
    ]
    rules = quality_page.rules(log)
    assert [row[0] for row in rules.rows] == ["plain", "explore 1"]
    assert rules.rows[0][-1] == "100.0%"
