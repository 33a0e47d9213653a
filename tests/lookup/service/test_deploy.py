"""Alerts and dashboard use only metrics that exist, and fire when they should."""

import asyncio
import json
import math
import re
import shutil
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from nightshelf import AsyncShelf, Event
from nightshelf.client.transport.connection import connect_async
from nightshelf.service.metrics import Metrics
from tasks.watch.rules import RULES as WATCH
from tests.conftest import ROOT

PROMETHEUS = ROOT / "deploy/prometheus"
BOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/nightshelf.json").read_text())
GROUPS: list[dict[str, Any]] = YAML(typ="safe").load(PROMETHEUS / "rules.yml")["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [target for panel in PANELS for target in panel["targets"]]
FLIPS = [each["expr"] for each in BOARD["annotations"]["list"]]
#: What Prometheus adds to all that it scrapes.
TARGET = {"job", "instance"}


async def _rendered() -> bytes:
    """Return the metrics of a process after one request and one event."""
    shelf = AsyncShelf(connect_async("redis://127.0.0.1:1/0", timeout_s=1), "shop")
    metrics = Metrics(shelf)
    metrics.served("/recommendations", 200, 0.001, model="als", source="list")
    metrics.recorded([Event("u", "purchase", "i", 1.0, position=1)])
    await shelf.get("u")
    text, _ = await metrics.render()
    await shelf.aclose()
    return text


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Labels of all possible series, by name."""
    families = list(text_string_to_metric_families(asyncio.run(_rendered()).decode()))
    names: dict[str, set[str]] = {"up": set(TARGET)}
    for family in families:
        if family.type == "gauge":  # one whose value is not known yet has a name and no sample
            names[family.name] = set(TARGET)
        for sample in family.samples:
            names[sample.name] = TARGET | set(sample.labels)
    return names | {rule["record"]: {"job"} for rule in RULES if "record" in rule}


def unknown(expr: str, exposed: dict[str, set[str]], legend: str = "") -> set[str]:
    """Return the metrics and labels of an expression that nobody exposes."""
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\boffset \w+', "", expr)
    grouping = r"\b(?:sum|max|min) by \(([^)]*)\)"
    shown = re.findall(r"\w+", ",".join(re.findall(grouping, bare)))
    shown += re.findall(r"{{(\w+)}}", legend)
    metric = r"(?<![\w:])([a-z_][\w:]*)\b(?! *\()(?:\{([^}]*)\})?"
    asked = re.findall(metric, re.sub(grouping, "", bare))
    asked = [(name, labels) for name, labels in asked if name not in ("and", "or")]
    odd = {name for name, _ in asked if name not in exposed}
    for name, labels in asked:
        has = exposed.get(name, set())
        matched = re.findall(r"(\w+)(?:=~|!~|!=|=)", labels)
        odd |= {f"{name}: {label}" for label in [*matched, *shown] if label not in has}
    return odd


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("record") or rule["alert"])
def test_rules_ask_for_what_there_is(rule: dict[str, Any], exposed: dict[str, set[str]]) -> None:
    assert unknown(rule["expr"], exposed) == set()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["expr"][:60])
def test_panels_ask_for_what_there_is(query: dict[str, Any], exposed: dict[str, set[str]]) -> None:
    assert unknown(query["expr"], exposed, query["legendFormat"]) == set()


def test_what_is_not_there_is_found(exposed: dict[str, set[str]]) -> None:
    known = 'sum by (job) (rate(nightshelf_requests_total{status=~"5..|}"}[5m])) / 2'
    assert unknown(known, exposed) == set()
    assert unknown("rate(nightshelf_request_total[5m])", exposed) == {"nightshelf_request_total"}
    for expr, legend in (
        ('nightshelf_requests_total{code="200"}', ""),
        ("sum by (code) (nightshelf_requests_total)", ""),
        ("nightshelf_requests_total", "{{code}}"),
    ):
        assert unknown(expr, exposed, legend) == {"nightshelf_requests_total: code"}


def test_every_flip_is_marked(exposed: dict[str, set[str]]) -> None:
    assert [unknown(expr, exposed) for expr in FLIPS] == [set()]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_says_how_bad_what_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("warning", "critical")
    says = alert["annotations"]
    assert says["summary"]
    assert says["description"].endswith(".")
    file, _, anchor = says["runbook"].partition("#")
    titles = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(), re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
    assert anchor in anchors
    assert alert["alert"] in (ROOT / file).read_text()
    assert alert["alert"] in (PROMETHEUS / "rules_test.yml").read_text()


#: Alerts on the same figure as a rule of the watch, which takes thresholds in the same units.
_OF_RULES = {
    "NightshelfErrors": "error_rate",
    "NightshelfSlow": "p95",
    "NightshelfGenerationStale": "generation_age",
    "NightshelfCoverageLow": "coverage",
    "NightshelfDiversityLow": "diversity",
    "NightshelfHitRateLow": "hit_rate",
    "NightshelfFallbacks": "fallback_share",
    "NightshelfClickThroughLow": "ctr",
    "NightshelfConversionLow": "conversion",
    "NightshelfModelLeftOut": "models_left_out",
}


def test_thresholds_are_those_of_the_watch() -> None:
    found: dict[tuple[str, str], tuple[bool, float]] = {}
    for alert in (each for each in ALERTS if each["alert"] in _OF_RULES):
        side, limit = re.findall(r"([<>]) ([\d. *]+\d|\d)", alert["expr"])[0]
        value = math.prod(map(float, limit.split("*")))
        found[alert["alert"], alert["labels"]["severity"]] = (side == "<", value)
    for name, rule in ((name, WATCH[of]) for name, of in _OF_RULES.items()):
        for level in ("warning", "critical"):
            limit = getattr(rule, level)
            expected = None if limit is None else (rule.below, limit)
            assert found.get((name, level)) == expected, (name, level)
    samples = {f"> {WATCH['ctr'].min_sample}", f"> {WATCH['conversion'].min_sample}"}
    low = [
        each["expr"]
        for each in ALERTS
        if each["alert"] in ("NightshelfClickThroughLow", "NightshelfConversionLow")
    ]
    assert {re.findall(r"> \d+", expr)[0] for expr in low} == samples


def test_the_board_has_its_rows() -> None:
    rows = [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Traffic", "Latency", "Cache tiers", "Generation", "Experiments and variants"]
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)


def promtool(*arguments: str) -> None:
    """Run promtool in the rules' folder."""
    binary = shutil.which("promtool")
    if binary is None:
        pytest.skip("promtool is not installed: PromQL itself was not checked, nor the alerts")
    done = run([binary, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_itself(arguments: tuple[str, ...]) -> None:
    promtool(*arguments)


def test_panels_are_promql(tmp_path: Path) -> None:
    exprs = [query["expr"] for query in QUERIES] + FLIPS
    exprs = [expr.replace("$__rate_interval", "5m") for expr in exprs]
    rules = [{"record": f"panel:{at}", "expr": expr} for at, expr in enumerate(exprs)]
    path = tmp_path / "board.yml"
    path.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    promtool("check", "rules", str(path))
