"""Facts of the overview: what is live, whether it is good, what is wrong, and what to do next.

Two round trips to Redis, none of which grows with the number of users, and one parsed report.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from redis import Redis

from nightshelf.admin.incidents import incidents, last_pass
from nightshelf.admin.namespace_state import NamespaceState, read_state
from nightshelf.admin.retention import whole_until
from nightshelf.contract.incident import Incident, WatchPass
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, instant
from nightshelf.doctor.health import MAX_AGE_H, stale
from nightshelf.errors import CorruptValue
from nightshelf.service.console.history import Generation, history
from nightshelf.service.console.run_files import at, report_of
from nightshelf.text import age_text

#: A watch that passes every five minutes is late after three times that.
WATCH_LATE_S = 900
_NIGHTS = "docs/how-to/when-a-night-fails.md"
_CANARY = "docs/how-to/run-a-canary.md"


@dataclass(frozen=True)
class Advice:
    """Something that needs a person: `level` is warning or critical, `page` one of the console.

    `runbook` is a page of the documentation; both may be empty.
    """

    level: str
    says: str
    do: str
    page: str = ""
    runbook: str = ""


@dataclass(frozen=True)
class Overview:
    """The facts of the overview; `watch` is `None` where no watch has run yet.

    `prediction` is the report's short answer whether the lists predict better than popularity and
    than last night's; empty where it has none.
    """

    state: NamespaceState
    age_s: float | None
    live: Generation | None
    gates: Mapping[str, str]
    warnings: tuple[str, ...]
    prediction: str
    n_waiting: int
    n_blocked: int
    watch: WatchPass | None
    watch_age_s: float | None
    open_incidents: tuple[Incident, ...]
    advice: tuple[Advice, ...]


def overview(client: Redis, namespace: str, runs: Path | None, max_events: int) -> Overview:
    """Return the facts of a namespace; errors of Redis come through."""
    keys, state = Keys(namespace), read_state(client, namespace)
    n_waiting, n_blocked = int(client.xlen(keys.events)), int(client.scard(keys.blocked))
    try:
        watch, found = last_pass(client, namespace), incidents(client, namespace)
    except CorruptValue:  # of another version: the watch writes them anew
        watch, found = None, []
    live = state.live
    made = instant(live.staged_at or live.published_at) if live else None
    age_s = (state.now - made).total_seconds() if made else None
    passed = instant(watch.at) if watch else None
    open_ones = tuple(each for each in found if each.ended is None)
    shown = history(state, runs, only=live.generation) if live else []
    report = report_of(runs, live.generation) if live else {}
    advice = [
        *_of_incidents(open_ones),
        *_of_live(state, age_s, shown[0] if shown else None),
        *_of_others(state),
        *_of_events(n_waiting, max_events),
    ]
    return Overview(
        state,
        age_s,
        shown[0] if shown else None,
        live.gates if live else {},
        tuple(map(str, at(report, "warnings") or ())),
        str(at(report, "prediction", "headline") or ""),
        n_waiting,
        n_blocked,
        watch,
        (state.now - passed).total_seconds() if passed else None,
        open_ones,
        tuple(sorted(advice, key=lambda each: each.level != "critical")),
    )


def _of_incidents(found: tuple[Incident, ...]) -> Iterator[Advice]:
    for each in found:
        yield Advice(each.level, each.says, each.advice or "See the runbook.", "", each.runbook)


def _of_live(
    state: NamespaceState, age_s: float | None, shown: Generation | None
) -> Iterator[Advice]:
    live = state.live
    if live is None:
        says = "Nothing is live: readers get no lists."
        do = "Run the nightly flow; if one has run, see why it did not go live."
        yield Advice("critical", says, do, "generations", _NIGHTS)
        return
    if stale(live, age_s, MAX_AGE_H):
        says = f"Generation {live.generation} was made {age_text(age_s)} ago, and no newer is live."
        yield Advice("critical", says, "See the last run in Prefect.", "generations", _NIGHTS)
    until, night = whole_until(live), timedelta(hours=MAX_AGE_H)
    if until is not None and until < state.now + night:
        left = (until - state.now).total_seconds()
        when = f"in {age_text(left)}" if left > 0 else "by now"
        says = f"Keys of generation {live.generation} may expire {when}, before the next night."
        page = f"act?action=extend&generation={live.generation}"
        yield Advice("critical", says, "Give its keys their full time to live again.", page)
    ours, popular = (
        shown.figures.get(name) if shown else None for name in ("ndcg", "popular_ndcg")
    )
    if ours is not None and popular is not None and ours < popular:
        says = f"Its lists predict worse than popularity: NDCG@10 {ours:.3g} against {popular:.3g}."
        do = "Roll back if the night before was better, and check the log."
        page = f"generation?number={live.generation}"
        yield Advice("warning", says, do, page, "docs/how-to/measure-offline-quality.md")


def _of_others(state: NamespaceState) -> Iterator[Advice]:
    newest = _newest_staged(state)
    if newest and "block" in newest.gates.values():
        names = [n.replace("_", " ") for n, found in newest.gates.items() if found == "block"]
        says = f"Generation {newest.generation} was blocked by {', '.join(names)}."
        do = "Compare it with the live one; promote it if it is right, else correct the log."
        page = f"generation?number={newest.generation}"
        yield Advice("warning", says, do, page, _NIGHTS)
    if state.pinned is not None:
        says = f"Pinned to generation {state.pinned}: no night goes live."
        yield Advice("warning", says, "Unpin once the reason is gone.", "act?action=unpin")
    if state.canary:
        out = state.canary
        says = f"Generation {out.generation} is a canary for {out.share:g} % of the users."
        page = f"generation?number={out.generation}"
        yield Advice("warning", says, "Promote it, or roll back.", page, _CANARY)


def _of_events(n_waiting: int, max_events: int) -> Iterator[Advice]:
    if n_waiting > 0.8 * max_events:
        says = f"{n_waiting:,} tracked events wait, of {max_events:,} that may."
        do = "Run the collector, or run it more often: further events are refused soon."
        yield Advice("critical", says, do, "", "docs/how-to/collect-events.md")


def _newest_staged(state: NamespaceState) -> Manifest | None:
    """Return the newest staged generation that is above the live one."""
    live = state.live.generation if state.live else 0
    above = (each for each in state.manifests if each.generation > live)
    return next((each for each in above if each.state == "staged"), None)
