"""Figures of the namespace in Redis: age, life of the keys, the last night, the server."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from redis import Redis, RedisError

from nightshelf.admin.namespace_state import NamespaceState, read_state
from nightshelf.admin.retention import whole_until
from nightshelf.client.core.failures import failure
from nightshelf.client.transport.connection import address, deadline_s
from nightshelf.contract.experiment import RUNNING
from nightshelf.contract.values import Manifest, instant
from nightshelf.doctor.examine import examine
from nightshelf.errors import CorruptValue
from nightshelf.text import age_text, minute_text
from tasks.runs.run_folder import highest_generation
from tasks.runs.saved_run import saved_runs
from tasks.watch.figures import Figure, unknown
from tasks.watch.settings import WatchSettings

NAMES = ("pointer", "generation_age", "keys_expire", "last_night", "models_left_out", "doctor")
#: Checks of `nightshelf doctor` that no other rule makes and that read no keys of generations.
_CHECKS = ("server", "replication", "memory", "persistence", "events")


@dataclass(frozen=True)
class InRedis:
    """Figures of Redis, and the state that they are of; `None` where it cannot be read."""

    figures: Mapping[str, Figure]
    state: NamespaceState | None = None


def redis_figures(
    client: Redis, namespace: str, run_root: Path, settings: WatchSettings, now: datetime
) -> InRedis:
    """Read the figures; Redis that cannot be reached, or read, is a figure too."""
    at = now.isoformat(timespec="seconds")
    try:
        state = read_state(client, namespace)
        doctor = _doctor(client, namespace, settings, at)
    except (RedisError, OSError) as error:
        why = f"{address(client)}: {failure(error, deadline_s(client))}"
        return InRedis({"redis": Figure(1.0, why, at)} | unknown(NAMES, "Redis does not answer"))
    except CorruptValue as error:
        why = f"{address(client)} holds what cannot be read: {error}"
        return InRedis({"redis": Figure(1.0, why, at)} | unknown(NAMES, "Redis cannot be read"))
    night = _last_night(state, run_root, settings, now)
    figures = {"redis": Figure(0.0, address(client), at), "last_night": night, "doctor": doctor}
    return InRedis(figures | _of_live(state, run_root, settings, now), state)


def _of_live(
    state: NamespaceState, run_root: Path, settings: WatchSettings, now: datetime
) -> dict[str, Figure]:
    """Return the figures of the live generation."""
    live, at = state.live, now.isoformat(timespec="seconds")
    if live is None:
        was = state.flipped > 0 or any(n.passed for n in saved_runs(run_root, state.namespace))
        reason = "no night has gone live yet"
        pointer = Figure(1.0, "nights have been made, and none is live", at)
        names = ("generation_age", "keys_expire", "models_left_out")
        return {"pointer": pointer if was else Figure(None, reason)} | unknown(names, reason)
    of = f"generation {live.generation}, as of {minute_text(live.as_of)} UTC"
    made = instant(live.staged_at or live.published_at)
    age_s = (now - made).total_seconds() if made else None
    running = (each for each in live.experiments if each.status == RUNNING)
    needed = {variant.model for each in running for variant in each.variants}
    absent = sorted(needed - set(live.models))
    return {
        "pointer": Figure(0.0, of, at),
        "generation_age": Figure(age_s, of, at),
        "keys_expire": _life(live, settings, now),
        "models_left_out": Figure(len(absent), ", ".join(absent) or of, live.as_of),
    }


def _life(live: Manifest, settings: WatchSettings, now: datetime) -> Figure:
    """Return how long all keys live beyond the next night that is expected."""
    made, until = instant(live.staged_at), whole_until(live)
    if made is None or until is None:
        return Figure(None, "the manifest does not say when its keys were written")
    every = timedelta(hours=settings.every_h)
    next_night = made + every * max(1, math.ceil((now - made) / every))
    says = f"next night about {minute_text(next_night.isoformat())} UTC, first keys expire "
    says += f"{minute_text(until.isoformat())} UTC"
    return Figure((until - next_night).total_seconds(), says, now.isoformat(timespec="seconds"))


def _last_night(
    state: NamespaceState, run_root: Path, settings: WatchSettings, now: datetime
) -> Figure:
    """Return 1 where the newest night beyond the live one was blocked, or has failed."""
    at, live = now.isoformat(timespec="seconds"), state.live.generation if state.live else 0
    newest = max((each for each in state.manifests), key=lambda each: each.generation, default=None)
    if newest and newest.generation > live and newest.state == "staged":
        blocked = sorted(gate for gate, outcome in newest.gates.items() if outcome == "block")
        if blocked:
            says = f"generation {newest.generation} is blocked by {', '.join(blocked)}"
            return Figure(1.0, says, at)
    number = highest_generation(run_root, state.namespace)
    known = newest.generation if newest and not newest.half else live
    wrote = _last_write(run_root / state.namespace / str(number))
    if number > max(live, known) and wrote is not None:
        age_s = now.timestamp() - wrote
        if age_s > settings.stuck_h * 3600 and not _overtaken(run_root, state, number):
            says = f"night {number} has written nothing for {age_text(age_s)} and has no report"
            return Figure(1.0, says, at)
        return Figure(0.0, f"night {number} is under way", at)
    return Figure(0.0, f"generation {max(live, known)} is the last", at)


def _last_write(folder: Path) -> float | None:
    """Return when an unfinished night has last written; `None` for one that has its report."""
    if (folder / "report.json").exists() or not (folder / "made_from.json").exists():
        return None
    files = (path for path in folder.rglob("*") if path.is_file())
    return max(path.stat().st_mtime for path in files)


def _overtaken(run_root: Path, state: NamespaceState, number: int) -> bool:
    """Tell whether an unfinished night is of an earlier date than the live one: it was given up."""
    try:
        path = run_root / state.namespace / str(number) / "made_from.json"
        as_of = instant(json.loads(path.read_text())["as_of"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    live = instant(state.live.as_of) if state.live else None
    return as_of is not None and live is not None and as_of < live


def _doctor(client: Redis, namespace: str, settings: WatchSettings, at: str) -> Figure:
    """Return the number of cheap checks of the server that fail."""
    findings = examine(client, namespace, settings.every_h * 3600, names=_CHECKS)
    failed = {name: each for name, each in findings.items() if each.outcome == "fail"}
    asked = [each for each in findings.values() if each.outcome != "unknown"]
    if not asked:
        return Figure(None, "this login may not ask")
    says = "; ".join(f"{name}: {each.found}" for name, each in failed.items())
    return Figure(len(failed), says or f"{len(asked)} checks pass", at)
