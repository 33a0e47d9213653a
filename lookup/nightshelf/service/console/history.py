"""The generations that Redis or a run folder knows, and the headline figures of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from nightshelf.admin.namespace_state import NamespaceState
from nightshelf.contract.values import Manifest
from nightshelf.service.console.run_files import at, numbers, report_of

#: Generations that a trend shows.
SHOWN = 60
#: Headline figures: name, title, the filter of `formats` that writes it, its meaning.
FIGURES = (
    ("ndcg", "NDCG@10", "number", "offline quality: a backtest on the last days of the log"),
    ("popular_ndcg", "NDCG@10 of popularity", "number", "the same of lists of recent popularity"),
    ("coverage", "Catalogue coverage", "percent", "available items that stand in a list"),
    ("diversity", "Category diversity", "number", "0: lists of one category, 1: spread evenly"),
    ("personalisation", "Personalisation", "percent", "100 %: no two users' lists share an item"),
    ("novelty_bits", "Novelty (bits)", "number", "each bit more, half as many knew the items"),
    ("gini", "Inequality of exposure", "number", "Gini of the places: near 1 a few items have all"),
    ("fallback_share", "Fallback share", "percent", "users without a list of their own"),
    ("n_users", "Users", "number", "users in the log"),
    ("n_lists", "Lists", "number", "users with a list of their own"),
    ("bytes", "Memory", "size", "keys and values in Redis"),
    ("seconds", "Duration", "age", "all steps of the night"),
)
_PROTOCOL = "by time"


@dataclass(frozen=True)
class Generation:
    """One generation: its manifest if Redis has it, and its figures by name, `None` if unknown."""

    number: int
    as_of: str
    state: str
    manifest: Manifest | None
    has_report: bool
    figures: Mapping[str, float | None] = field(default_factory=dict)


def history(
    state: NamespaceState, runs: Path | None, *, only: int | None = None
) -> list[Generation]:
    """Return the generations, the newest first, at most `SHOWN`; or `only` one of them.

    Figures are those of the run's report, else those of the manifest.
    """
    in_redis = {each.generation: each for each in state.manifests}
    known = [only] if only else sorted({*in_redis, *numbers(runs)}, reverse=True)[:SHOWN]
    trends = _trends(runs, known)
    return [_generation(number, in_redis.get(number), runs, trends) for number in known]


def points(found: Sequence[Generation], name: str) -> list[tuple[str, float | None]]:
    """Return a figure's points for a trend, the oldest first; generations without it are left out.

    A generation that was marked bad is in it too: its figures may say why.
    """
    values = [(str(each.number), each.figures.get(name)) for each in reversed(found)]
    return [(label, value) for label, value in values if value is not None]


def _generation(
    number: int, manifest: Manifest | None, runs: Path | None, trends: Mapping[int, Any]
) -> Generation:
    from_report = _figures(runs, number) if runs else {}
    row = {name: _float(value) for name, value in trends.get(number, {}).items()}
    figures = (_of_manifest(manifest) if manifest else {}) | _known(row) | _known(from_report)
    report = report_of(runs, number) if manifest is None else {}
    as_of = manifest.as_of if manifest else str(at(report, "night", "as_of") or "")
    state = manifest.state if manifest else str(at(report, "night", "state") or "not finished")
    return Generation(number, as_of, state, manifest, bool(from_report), figures)


def _figures(runs: Path, number: int) -> Mapping[str, float | None]:
    try:
        mtime_ns = (runs / str(number) / "report.json").stat().st_mtime_ns
    except OSError:
        return {}
    return _of_report(runs, number, mtime_ns)


@lru_cache(1024)
def _of_report(runs: Path, number: int, mtime_ns: int) -> Mapping[str, float | None]:
    """Return the headline figures of a report, kept for this version of the file."""
    report = report_of(runs, number)
    lists = at(report, "lists") or {}
    named = ("coverage", "diversity", "personalisation", "novelty_bits", "gini", "fallback_share")
    found: dict[str, Any] = {name: at(lists, name) for name in (*named, "n_users", "n_lists")}
    quality = at(report, "choice") or {}
    found["ndcg"] = at(quality, "ndcg", _PROTOCOL)
    found["popular_ndcg"] = at(quality, "popular_ndcg", _PROTOCOL)
    found["bytes"] = at(report, "memory", "bytes")
    steps = at(report, "steps")
    if isinstance(steps, list) and steps:
        found["seconds"] = sum(_float(at(step, "seconds")) or 0.0 for step in steps)
    return {name: _float(value) for name, value in found.items()}


def _of_manifest(manifest: Manifest) -> dict[str, float | None]:
    metrics = manifest.metrics
    return {
        "coverage": metrics.get("coverage"),
        "diversity": metrics.get("diversity"),
        "ndcg": metrics.get("choice_ndcg_at_10"),
        "n_lists": float(manifest.counts.get("list", 0)),
        "bytes": float(manifest.n_bytes),
    }


def _trends(runs: Path | None, known: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """Return the rows of the newest report that has any: of nights whose folders are gone too."""
    for number in known:
        rows = at(report_of(runs, number), "trends")
        if isinstance(rows, list) and rows:
            return {
                row["generation"]: row for row in rows if isinstance(at(row, "generation"), int)
            }
    return {}


def _known(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: value for name, value in figures.items() if value is not None}


def _float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
