"""The report: everything in it, nothing let loose in it, the same bytes for the same night."""

import json
import re
import xml.etree.ElementTree as ET
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from tasks.evaluation.backtest import Quality
from tasks.evaluation.drift.compare import Drift, Shift
from tasks.evaluation.gates import Gate, Verdict
from tasks.evaluation.measure import Metrics, measure
from tasks.recommend.settings import TopNSettings
from tasks.report.build import Report, write_report
from tasks.report.charts import all_pictures
from tasks.report.facts import Outcome
from tasks.report.headline import judge
from tasks.report.markdown import escape
from tasks.report.settings import Targets
from tests.tasks.report_night import Night, make_night

HOSTILE = '<img src=x onerror="alert(1)">|`$x$\n**b** & 日本\x07'


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return hostile_night(tmp_path)


def hostile_night(root: Path) -> Night:
    """A night whose every free text is hostile."""
    night = make_night(
        root,
        catalogue={"a": (HOSTILE, True), "b": ("mugs", True), HOSTILE: ("mugs", True)},
        history={"u1": ["a"], HOSTILE: ["b"]},
        lists={"u1": ["b", HOSTILE], HOSTILE: ["a"]},
        quarantined={HOSTILE: 2, "ts missing": 12_345},
        set_aside={HOSTILE: HOSTILE},
    )
    for step, seconds in (("clean_events", 3.25), ("top_n", 71.5)):
        night.run.note(step, seconds, night.clean)
    return night


def measured(night: Night) -> Metrics:
    return measure(night.run, night.made, TopNSettings(n=2, page_size=2, max_per_category=2))


PASSES = Gate("lists_ratio", 1.0, "at least 70 %", "pass", "Number of lists", "100 %")
BLOCKS = Gate("jaccard", 0.01, "at least 5 %", "block", "what is in common", "1 %")
ALONE = Gate("rows_ratio", None, "at least 70 %", "no comparison", "rows read")


MEASURED = Quality(
    backtest_days=7,
    cut="2026-02-22T00:00:00+00:00",
    path=Path("backtest/quality.json"),
    n_users=1_234,
    n_relevant=5_678,
    lists={f"{name}_at_10": 0.0793 for name in ("ndcg", "recall", "hit_rate", "reciprocal_rank")},
    popularity=dict.fromkeys(
        ("ndcg_at_10", "recall_at_10", "hit_rate_at_10", "reciprocal_rank_at_10"), 0.0345
    ),
    ndcg_error=0.0021,
)


def written(
    night: Night,
    metrics: Metrics | None = None,
    state: str = "live",
    *gates: Gate,
    quality: Quality | None = None,
    drift: Drift | None = None,
) -> Report:
    verdict = Verdict(gates or (PASSES, ALONE))
    outcome = Outcome(metrics or measured(night), quality, verdict, state, drift)
    return write_report(night.run, night.made, night.staged, outcome, Targets())


class Page(HTMLParser):
    """The page as a browser parses it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str | None]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


def test_json_holds_everything_under_stable_names(night: Night) -> None:
    metrics = measured(night)
    facts = json.loads(written(night, metrics).json.read_text())
    assert " ".join(facts) == (
        "blocked_by categories choice curves drift format gates headline input lists "
        "memory model models most_recommended newly_recommended night offline_quality "
        "prediction rule_costs samples segments steps targets trends variants warnings"
    )
    assert facts["night"] == {
        "namespace": "shop",
        "generation": 7,
        "as_of": "2026-03-01T00:00:00+00:00",
        "state": "live",
    }
    assert facts["lists"]["coverage"] == metrics.coverage
    assert facts["input"]["quarantined_by_reason"] == {HOSTILE: 2, "ts missing": 12_345}
    assert facts["memory"]["bytes_a_user"] == 2_100
    assert [line["step"] for line in facts["steps"]] == ["clean_events", "top_n", "measure"]


def test_page_loads_nothing_and_runs_nothing(night: Night) -> None:
    page = Page(written(night).html.read_text())
    assert not page.open
    assert {"script", "link", "iframe", "img", "object", "embed", "base"}.isdisjoint(
        tag for tag, _ in page.tags
    )
    links = page.values("href") + page.values("xlink:href") + page.values("src")
    assert all(link and link.startswith("#") for link in links)
    source = written(night).html.read_text()
    assert "://" not in source.replace(HOSTILE, "")
    assert not re.search(r"url\((?!#)|@import", source)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_page_is_accessible(night: Night) -> None:
    page = Page(written(night).html.read_text())
    assert [attributes for tag, attributes in page.tags if tag == "html"] == [{"lang": "en"}]
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == 5
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)
    headers = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert set(headers) == {"col", "row"}
    tables, captions = ([tag for tag, _ in page.tags].count(t) for t in ("table", "caption"))
    assert tables == captions > 0
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_untrusted_text_stays_text(night: Night) -> None:
    report = written(night)
    page = Page(report.html.read_text())
    assert page.text.count('<img src=x onerror="alert(1)">') >= 3
    markdown = report.md.read_text()
    assert "<img" not in markdown
    row = next(
        line for line in markdown.splitlines() if "onerror" in line and line.endswith("| 2 |")
    )
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_markdown_cells_cannot_break_out() -> None:
    assert escape("a|b\nc") == r"a\|b c"
    assert escape("[x](y) `z` _u_ <b>&") == r"\[x\](y) \`z\` \_u\_ &lt;b&gt;&amp;"


def test_markdown_carries_its_pictures(night: Night) -> None:
    report = written(night)
    markdown = report.md.read_text()
    pictures = re.findall(r"!\[[^\n]+\]\(data:image/svg\+xml;base64,([\w+/=]+)\)", markdown)
    assert len(pictures) == 5
    for picture in pictures:
        assert ET.fromstring(b64decode(picture)).tag == "{http://www.w3.org/2000/svg}svg"
    assert report.md.stat().st_size < 300_000


def test_missed_targets_show_as_missed(night: Night) -> None:
    poor = replace(measured(night), coverage=0.5, diversity=0.71, n_seen=1, n_breaches=2)
    report = written(night, poor, state="staged")
    assert [tuple(row) for row in report.headline] == [
        ("Catalogue coverage", "50.0 %", "over 50 %", False),
        ("Category diversity", "0.710", "over 0.7", True),
        ("Broken rules", "3", "none", False),
    ]
    page = Page(report.html.read_text())
    assert "Catalogue coverage and broken rules off target" in page.text
    assert page.text.count("✗ missed") == 2
    assert page.text.count("✓ met") == 1
    assert page.values("class").count("state waiting") == 1
    assert report.md.read_text().count("✗ **missed**") == 2


def test_warnings_stand_in_all_three_and_nothing_stands_where_there_are_none(night: Night) -> None:
    plain = written(night)
    assert json.loads(plain.json.read_text())["input"]["warnings"] == []
    assert "Warnings" not in plain.html.read_text() + plain.md.read_text()
    warned = replace(night, clean=replace(night.clean, warnings=("12 of 34 ids", HOSTILE)))
    report = written(warned)
    assert json.loads(report.json.read_text())["input"]["warnings"] == ["12 of 34 ids", HOSTILE]
    for text in (Page(report.html.read_text()).text, report.md.read_text()):
        assert "Warnings" in text
        assert "12 of 34 ids" in text
    assert HOSTILE in Page(report.html.read_text()).text
    assert "<img" not in report.md.read_text()


def test_rules_of_exposure_show_where_they_are_in_force(night: Night) -> None:
    names = ("Places that explore", "Score kept", "Over the exposure cap")
    plain = Page(written(night).html.read_text()).text
    assert not any(name in plain for name in names)
    ruled = replace(measured(night), explored_share=0.1, score_kept=0.934, n_over_cap=2)
    report = written(night, ruled)
    for text in (Page(report.html.read_text()).text, report.md.read_text()):
        assert all(name in text for name in names)
        assert "93.4 %" in text
    assert report.headline[-1][:2] == ("Broken rules", "2")


def test_a_blocked_generation_says_so_first(night: Night) -> None:
    report = written(night, None, "blocked", PASSES, BLOCKS, ALONE)
    assert "Blocked by 1 gate" in Page(report.html.read_text()).text
    markdown = report.md.read_text()
    assert "generation 7: blocked" in markdown
    why = "**Blocked**: what is in common: 1 %, expected at least 5 %."
    assert why in markdown
    assert "| what is in common | 1 % | at least 5 % | ✗ blocks |" in markdown
    assert "| rows read | - | at least 70 % | nothing to compare with |" in markdown


def test_met_targets_show_as_met(night: Night) -> None:
    good = replace(measured(night), coverage=0.51, diversity=0.71)
    assert all(row.met for row in judge(good, None, Targets()))
    page = Page(written(night, good).html.read_text())
    assert "Every target met" in page.text
    assert "✗" not in page.text
    assert page.values("class").count("state live") == 1


def test_a_target_is_not_called_met_beside_a_warning(night: Night) -> None:
    good = replace(measured(night), coverage=0.51, diversity=0.71)
    warns = replace(BLOCKS, outcome="warn")
    features = replace(night.features, unweighed={"order": 2}, warnings=("2 teach nothing",))
    for one, gates, verdict in (
        (night, (PASSES, warns), "Targets met, and 1 warning"),
        (replace(night, features=features), (PASSES,), "Targets met, and 1 warning"),
        (replace(night, features=features), (PASSES, warns), "Targets met, and 2 warnings"),
    ):
        report = written(one, good, "live", *gates)
        page = Page(report.html.read_text()).text
        assert "Every target met" not in page
        assert verdict in page
        assert report.md.read_text().index("## Warnings") < report.md.read_text().index("| Figure")
    marked = replace(night.clean, event_types={"view": 5, "order": 2})
    text = written(replace(night, clean=marked, features=features), good).md.read_text()
    assert "| order: no weight, teaches nothing | 2 |" in text
    assert "| view | 5 |" in text


def test_offline_quality_stands_beside_that_of_the_popular_list(night: Night) -> None:
    report = written(night, quality=MEASURED)
    row = ("Offline quality (NDCG@10)", "0.0793", "over 0.0345, the popular list's", True)
    assert tuple(report.headline[2]) == row
    facts = json.loads(report.json.read_text())["offline_quality"]
    assert facts["lists"] == MEASURED.lists
    assert "path" not in facts
    page, markdown = Page(report.html.read_text()).text, report.md.read_text()
    for text in (page, markdown):
        assert "judged by what 1,234 users took to in the 7 days since" in text
        assert "NDCG@10 0.0793 (standard error 0.0021), the popular list 0.0345." in text
        assert "without the exploration rules" not in text
    assert "| Recall@10 | 0.0793 | 0.0345 |" in markdown


def test_offline_quality_below_that_of_the_popular_list_is_a_missed_target(night: Night) -> None:
    worse = replace(MEASURED, popularity=MEASURED.lists, lists=MEASURED.popularity)
    assert not written(night, quality=worse).headline[2].met
    even = replace(MEASURED, popularity=MEASURED.lists)
    assert not written(night, quality=even).headline[2].met


def test_what_rules_cost_is_told(night: Night) -> None:
    dear = replace(MEASURED, plain=dict.fromkeys(MEASURED.lists, 0.0811))
    cost = "NDCG@10 0.0793, 0.0811 without the exploration rules: -2.2 %."
    nothing = replace(MEASURED, plain=dict.fromkeys(MEASURED.lists, 0.0))
    assert cost in Page(written(night, quality=dear).html.read_text()).text
    text = Page(written(night, quality=nothing).html.read_text()).text
    assert "0.0000 without the exploration rules." in text


@pytest.mark.parametrize(
    ("quality", "says"),
    [
        (None, "not measured: NIGHTSHELF_EVALUATE__BACKTEST_DAYS."),
        (
            Quality(7, "2026-02-22T00:00:00+00:00", Path("backtest/quality.json")),
            "not measured: nobody had a list as of Sunday 22 February 2026, 00:00 UTC and took to "
            "anything new since (NIGHTSHELF_EVALUATE__BACKTEST_DAYS is 7).",
        ),
    ],
)
def test_offline_quality_that_was_not_measured_says_why(
    night: Night, quality: Quality | None, says: str
) -> None:
    report = written(night, quality=quality)
    assert len(report.headline) == 3
    assert says in Page(report.html.read_text()).text
    assert escape(says) in report.md.read_text()


def drifted(night: Night) -> Drift:
    shifts = (
        Shift("recent_events_a_user:view", 0.031, 0.08, "3", 0.2, 0.1, (0.01, 0.02), 0.025),
        Shift("items_available", 0.9, 0.4, "not available", 0.5, 0.03, (0.0, 0.0), 0.025),
    )
    hostile = Shift("shown_by_category", 0.2, 0.1, HOSTILE, 0.3, 0.2)
    return Drift(night.run.path("drift.json"), (4, 5, 6), shifts, (hostile,), 0.081, 0.97)


def test_drift_stands_with_its_history_and_what_moved(night: Night) -> None:
    report = written(night, drift=drifted(night))
    facts = json.loads(report.json.read_text())["drift"]
    assert [shift["name"] for shift in facts["lists"]] == ["shown_by_category"]
    assert facts["nights"] == [4, 5, 6]
    page, markdown = Page(report.html.read_text()).text, report.md.read_text()
    for text in (page, markdown):
        assert "Compared with the 3 last nights that passed their gates" in text
        assert (
            "median NDCG@10 is 0.0810; tonight's, with two standard errors on top, is 97.0" in text
        )
        assert text.index("items available") < text.index("recent events a user: view")
        assert "not available: 3.0 % before, 50.0 %" in text
    assert "| items available | 0.900 | 0.025 | ▁▁█ |" in markdown
    assert HOSTILE in page


def test_without_nights_before_the_report_says_so(night: Night) -> None:
    first = Drift(night.run.path("drift.json"), (6,))
    assert (
        "1 of them passed their gates, 3 are needed" in written(night, drift=first).md.read_text()
    )
    assert "only nights that are published are" in written(night).md.read_text()


def test_numbers_read_well(night: Night) -> None:
    text = Page(written(night).html.read_text()).text
    assert "12,345" in text
    assert "2.1 kB" in text
    assert "1 min 12 s" in text
    assert "Sunday 1 March 2026, 00:00 UTC" in text


def test_equal_nights_give_equal_bytes(tmp_path: Path) -> None:
    def contents(name: str) -> dict[str, bytes]:
        night = hostile_night(tmp_path / name)
        metrics = measured(night)
        journal = night.run.path("steps.jsonl")
        journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:2]))
        report = written(night, metrics)
        return {path.name: path.read_bytes() for path in (report.json, report.md, report.html)}

    assert contents("one") == contents("two")


def test_an_empty_night_has_a_report(tmp_path: Path) -> None:
    night = make_night(tmp_path, catalogue={}, history={}, lists={})
    report = written(night)
    assert [row.met for row in report.headline] == [False, False, True]
    assert "NaN" not in report.json.read_text()
    assert not Page(report.html.read_text()).open


def test_pictures_do_not_touch_pyplot_or_its_settings(night: Night) -> None:
    before = dict(mpl.rcParams)
    curves: dict[str, Any] = json.loads(measured(night).curves.read_text())
    all_pictures(curves, night.run.steps())
    assert dict(mpl.rcParams) == before


def test_the_model_is_named(night: Night) -> None:
    model = replace(night.model, name="blend", n_factors=65)
    page = written(replace(night, model=model), measured(night))
    assert json.loads(page.json.read_text())["model"]["name"] == "blend"
    assert "blend with 65 factors for 2 users" in page.md.read_text()
    assert "blend" in Page(page.html.read_text()).text
