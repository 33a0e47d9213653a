"""Figures of the service: its processes' /metrics, as differences between two passes.

A process that has restarted counts from 0 again: all that it has counted is new then.
"""

import re
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.error import HTTPError

from prometheus_client.parser import text_string_to_metric_families

from tasks.watch.figures import Figure, share, unknown
from tasks.watch.settings import WatchSettings

#: Sums of one process by name, as `_sums` gives them.
Sums = Mapping[str, float]

NAMES = ("p95", "error_rate", "hit_rate", "process_hit_rate", "fallback_share")
_READS = re.compile(r"/(recommendations|similar|popular|users|items)")
_START, _BUCKET = "start", "within:"
_MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Scraped:
    """Sums of each process that answered, by address, and the reasons of those that did not."""

    sums: Mapping[str, Sums] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


def scrape(settings: WatchSettings) -> Scraped:
    """Read /metrics of all processes that the settings name."""
    sums, failed = dict[str, Sums](), dict[str, str]()
    key = settings.service_key.get_secret_value() if settings.service_key else None
    for address in settings.services:
        try:
            sums[address] = _sums(_metrics(address, key, settings.timeout_s))
        except (OSError, ValueError) as error:
            failed[address] = _reason(error)
    return Scraped(sums, failed)


def service_figures(
    scraped: Scraped, before: Mapping[str, Sums], now: datetime
) -> dict[str, Figure]:
    """Return the figures since the pass before, of all processes together."""
    n_all = len(scraped.sums) + len(scraped.failed)
    if not n_all:
        return unknown(("services_down", *NAMES), "watch.services names no process")
    which = "; ".join(f"{address}: {why}" for address, why in scraped.failed.items())
    down = share(len(scraped.failed), n_all, which or f"{n_all} answer", now)
    since = {address: sums for address, sums in scraped.sums.items() if address in before}
    if not since:
        reason = "no process answers" if not scraped.sums else "a first pass has nothing to compare"
        return {"services_down": down} | unknown(NAMES, reason)
    new = _added(_since(sums, before[address]) for address, sums in since.items())
    return {"services_down": down} | _figures(new, now)


def _figures(new: Sums, now: datetime) -> dict[str, Figure]:
    def of(part: str, whole: float, what: str) -> Figure:
        return share(new.get(part, 0.0), whole, f"of {round(whole):,} {what}", now)

    redis = new.get("redis_hits", 0) + new.get("redis_misses", 0)
    process = new.get("process_hits", 0) + new.get("process_misses", 0)
    return {
        "p95": _p95(new, now),
        "error_rate": of("errors", new.get("requests", 0), "requests since the pass before"),
        "hit_rate": of("redis_hits", redis, "values read from Redis since the pass before"),
        "process_hit_rate": of("process_hits", process, "values since the pass before"),
        "fallback_share": of("fallbacks", new.get("pages", 0), "pages since the pass before"),
    }


def _p95(new: Sums, now: datetime) -> Figure:
    counts = {
        float(name.removeprefix(_BUCKET)): count
        for name, count in new.items()
        if name.startswith(_BUCKET)
    }
    n = round(max(counts.values(), default=0))
    says = f"of {n:,} reads since the pass before"
    return Figure(quantile(counts, 0.95), says, now.isoformat(timespec="seconds"), n)


def quantile(counts: Mapping[float, float], q: float) -> float | None:
    """Return a quantile of a histogram's cumulative counts by upper bound, as Prometheus does.

    Linear within a bucket; the highest finite bound, where the quantile lies beyond it; `None`
    where nothing was counted.
    """
    bounds = sorted(counts)
    if len(bounds) < 2 or counts[bounds[-1]] <= 0:
        return None
    rank, below, low = q * counts[bounds[-1]], 0.0, 0.0
    for bound in bounds[:-1]:
        if counts[bound] >= rank:
            inside = counts[bound] - below
            return low + (bound - low) * ((rank - below) / inside if inside else 1.0)
        below, low = counts[bound], bound
    return low


def _since(after: Sums, before: Sums) -> dict[str, float]:
    """Return what was counted between two passes; all of it, where the process has restarted."""
    restarted = after.get(_START) != before.get(_START)
    restarted |= any(value < before.get(name, 0.0) for name, value in after.items())
    return {
        name: value if restarted else value - before.get(name, 0.0)
        for name, value in after.items()
        if name != _START
    }


def _added(parts: Iterator[Sums]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total


def _sums(text: str) -> dict[str, float]:
    """Return the sums that the figures need, of a process's metrics."""
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for name in _counted_in(sample.name, sample.labels):
                sums[name] = sums.get(name, 0.0) + sample.value
    if not any(name.startswith(("redis_", "process_")) for name in sums):
        raise ValueError("its /metrics are not of nightshelf serve")
    return sums


def _counted_in(name: str, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield the sums that a sample adds to; definitions as in deploy/prometheus/rules.yml."""
    endpoint = labels.get("endpoint", "")
    match name:
        case "process_start_time_seconds":
            yield _START
        case "nightshelf_requests_total":
            yield "requests"
            if labels.get("status", "").startswith("5"):
                yield "errors"
            if endpoint.startswith("/recommendations") and (source := labels.get("source")):
                yield "pages"
                if source != "list":
                    yield "fallbacks"
        case "nightshelf_request_duration_seconds_bucket" if _READS.match(endpoint):
            yield f"{_BUCKET}{float(labels['le'])}"
        case "nightshelf_cache_hits_total":
            yield f"{labels['tier']}_hits"
        case "nightshelf_cache_misses_total":
            yield f"{labels['tier']}_misses"


def _metrics(address: str, key: str | None, timeout_s: float) -> str:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{address.rstrip('/')}/metrics"  # http or https, by WatchSettings
    asked = urllib.request.Request(url, headers=headers)  # noqa: S310
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(asked, timeout=timeout_s) as answer:
        content: bytes = answer.read(_MAX_BYTES)
        return content.decode()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A handler that follows no redirect: the key is for the named process alone."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse."""
        return


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        hint = ": watch.service_key needs the scope admin" if error.code in (401, 403) else ""
        return f"answers {error.code}{hint}"
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason) or type(error).__name__
