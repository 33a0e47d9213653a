"""Figures of the nights: report.json of the live generation's run, and of the nights before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightshelf.contract.values import Manifest
from tasks.runs.saved_run import SavedRun, saved_runs
from tasks.watch.figures import Figure, unknown

NAMES = ("coverage", "diversity", "without_list", "offline_quality")


@dataclass(frozen=True)
class Night:
    """A night's manifest and its report's facts; `report` is empty where there is none."""

    manifest: Manifest
    report: Mapping[str, Any]

    @property
    def values(self) -> dict[str, float]:
        """Values of the night's figures by rule, of those that it has."""
        lists, metrics = self.report.get("lists") or {}, self.manifest.metrics
        found = {
            "coverage": lists.get("coverage", metrics.get("coverage")),
            "diversity": lists.get("diversity", metrics.get("diversity")),
            "without_list": lists.get("fallback_share"),
            "offline_quality": _over_popularity(self.report, metrics),
        }
        return {name: float(value) for name, value in found.items() if value is not None}


def read_night(root: Path, namespace: str, manifest: Manifest) -> Night:
    """Read a generation's report; without its run folder only the manifest's figures are left."""
    path = root / namespace / str(manifest.generation) / "report.json"
    try:
        report = json.loads(path.read_bytes())
    except (OSError, ValueError):
        report = {}
    return Night(manifest, report if isinstance(report, dict) else {})


def nights_before(root: Path, namespace: str, live: Manifest, n_nights: int) -> list[Night]:
    """Return the last good nights before the live one, the latest first.

    A night is good if no gate blocked it; of several runs of one night the newest counts.
    """
    by_night: dict[str, SavedRun] = {}
    for each in sorted(saved_runs(root, namespace), key=lambda each: each.run.generation):
        if each.passed and each.manifest.as_of < live.as_of:
            by_night[each.manifest.as_of] = each
    latest = sorted(by_night.values(), key=lambda each: each.run.as_of, reverse=True)[:n_nights]
    return [read_night(root, namespace, each.manifest) for each in latest]


def night_figures(night: Night | None) -> dict[str, Figure]:
    """Return the figures of the live night."""
    if night is None:
        return unknown(NAMES, "nothing is live")
    number, values = night.manifest.generation, night.values
    missing = f"the report of generation {number} has none"
    if not night.report:
        missing = f"generation {number} has no report.json under the folder of runs"
    of = f"generation {number}"
    return {
        name: Figure(values[name], of, night.manifest.as_of, None)
        if name in values
        else Figure(None, missing, night.manifest.as_of)
        for name in NAMES
    }


def _over_popularity(report: Mapping[str, Any], metrics: Mapping[str, float]) -> float | None:
    """Return NDCG@10 of the lists over that of the popular list, else of the chosen blend."""
    quality = report.get("offline_quality") or {}
    lists, popular = ((quality.get(of) or {}).get("ndcg_at_10") for of in ("lists", "popularity"))
    if lists is not None and popular:
        return float(lists) / float(popular)
    return metrics.get("choice_over_popularity")
