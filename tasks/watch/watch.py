"""One pass of the watch: read the figures, judge them, send what is due, copy it all to Redis."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from redis import Redis, RedisError

from nightshelf.admin.incidents import incidents, write_pass
from nightshelf.contract.incident import Incident, Reading, WatchPass
from nightshelf.errors import CorruptValue, NightshelfError
from tasks.watch.deviations import HOURLY, deviation_figure, deviations
from tasks.watch.event_figures import NAMES as OF_EVENTS
from tasks.watch.event_figures import event_figures
from tasks.watch.figures import Figure, read
from tasks.watch.judge import Nights, judged
from tasks.watch.night_figures import night_figures, nights_before, read_night
from tasks.watch.redis_figures import redis_figures
from tasks.watch.send import Send, deliver
from tasks.watch.service_figures import Sums, scrape, service_figures
from tasks.watch.settings import WatchSettings
from tasks.watch.state import State, StateFile, Tracked


class WatchBusy(NightshelfError):  # noqa: N818
    """Another pass of the same namespace is under way."""


@dataclass(frozen=True)
class Watched:
    """The namespace, the folders that its figures come from, and its types of purchases."""

    namespace: str
    run_root: Path
    events_dir: Path | None = None
    purchases: tuple[str, ...] = ("purchase",)


@dataclass(frozen=True)
class PassDone:
    """A pass: its readings, the incidents that it changed, and warnings about messages."""

    done: WatchPass
    changed: tuple[Incident, ...]
    n_sent: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Read:
    """All that a pass has read."""

    readings: tuple[Reading, ...]
    figures: Mapping[str, Figure]
    counters: Mapping[str, Sums]
    nights: Nights


def watch_pass(
    client: Redis,
    watched: Watched,
    settings: WatchSettings,
    senders: Mapping[str, Send],
    now: datetime,
) -> PassDone:
    """Do one pass at the time `now`; raises `WatchBusy`, and `RunFolderError` for a broken state.

    A source that fails makes its figures unknown, and a message that cannot be sent is tried again
    in the next passes.
    """
    file = StateFile.of(watched.run_root, watched.namespace)
    with file.locked() as mine:
        if not mine:
            raise WatchBusy(f"another pass of the watch of {watched.namespace} is under way")
        before = file.read() or _adopted(client, watched.namespace)
        now = max(now, datetime.fromtimestamp(before.at, UTC))  # no clock takes the watch back
        found = _read(client, watched, settings, before, now)
        state = _judge(file, before, found, settings, watched, senders, now)
        warnings: list[str] = []
        at = now.timestamp()
        sent = deliver(state, senders, at, settings.give_up_s, file.write, warnings.append)
        done = WatchPass(now.isoformat(timespec="seconds"), found.readings)
        warnings += _copy(client, watched.namespace, done, sent, file)
        changed = _changed(before, sent)
    return PassDone(done, changed, _n_sent(sent) - _n_sent(state), tuple(warnings))


def _read(
    client: Redis, watched: Watched, settings: WatchSettings, before: State, now: datetime
) -> _Read:
    """Read all sources, and judge each figure by its rule."""
    rules = settings.all_rules
    redis = redis_figures(client, watched.namespace, watched.run_root, settings, now)
    live = redis.state.live if redis.state else None
    root, namespace = watched.run_root, watched.namespace
    night = read_night(root, namespace, live) if live else None
    good = nights_before(root, namespace, live, settings.trailing_nights) if live else []
    scraped = scrape(settings)
    figures = {
        **redis.figures,
        **night_figures(night),
        **service_figures(scraped, before.counters, now),
    }
    if any(rules[name].on for name in OF_EVENTS):  # the dearest source
        figures |= event_figures(watched.events_dir, settings.event_h, watched.purchases, now)
    trailing: dict[str, Sequence[float]] = {
        name: [each.values[name] for each in good if name in each.values]
        for name in night_figures(None)
    }
    trailing |= {name: before.history.at_this_time(name, now) for name in HOURLY}
    on = {name: rule for name, rule in rules.items() if rule.on}
    compared = {name: past for name, past in trailing.items() if name in on}
    moved = deviations(rules, figures, compared, settings)
    figures["deviation"] = deviation_figure(moved, rules["deviation"], now)
    medians = {name: each.median for name, each in moved.items()}
    readings = tuple(read(rule, figures.get(name), medians.get(name)) for name, rule in on.items())
    newest = redis.state.manifests[0] if redis.state and redis.state.manifests else None
    staged = newest if newest and live and newest.generation > live.generation else None
    nights = Nights(night, good[0] if good else None)
    if staged is not None:
        nights = replace(nights, staged=read_night(root, namespace, staged))
    counters = {a: sums for a, sums in before.counters.items() if a in settings.services}
    return _Read(readings, figures, {**counters, **scraped.sums}, nights)


def _judge(
    file: StateFile,
    before: State,
    found: _Read,
    settings: WatchSettings,
    watched: Watched,
    senders: Mapping[str, Send],
    now: datetime,
) -> State:
    """Return the state after the readings, and write it."""
    state = judged(
        before, found.readings, found.nights, settings, watched.namespace, tuple(senders), now
    )
    history = before.history.with_pass(found.figures, now, settings.trailing_days + 1)
    state = replace(state, counters=found.counters, history=history)
    for incident in _changed(before, state):
        file.log(incident, "ended" if incident.ended else incident.level)
    file.write(state)
    return state


def _changed(before: State, after: State) -> tuple[Incident, ...]:
    """Return the incidents that have opened, got worse or ended between two states."""
    known = {
        each.incident.id: (each.incident.level, each.incident.ended) for each in before.tracked
    }
    new = (each.incident for each in after.tracked)
    return tuple(each for each in new if known.get(each.id) != (each.level, each.ended))


def _n_sent(state: State) -> int:
    return sum(each.state == "sent" for of in state.tracked for each in of.deliveries)


def _copy(
    client: Redis, namespace: str, done: WatchPass, state: State, file: StateFile
) -> list[str]:
    """Copy pass and incidents to Redis for people, and let go of incidents that are over."""
    try:
        write_pass(client, namespace, done, [each.incident for each in state.tracked])
    except (RedisError, OSError, CorruptValue) as error:
        return [f"figures and incidents were not copied to Redis: {type(error).__name__}"]
    copied = (replace(each, copied=each.incident.ended is not None) for each in state.tracked)
    left = tuple(each for each in copied if not each.over)
    file.write(replace(state, tracked=left))
    return []


def _adopted(client: Redis, namespace: str) -> State:
    """Return the state of a watch whose folder is gone: the open incidents that Redis still has."""
    with suppress(RedisError, OSError, CorruptValue):
        known = [each for each in incidents(client, namespace) if each.ended is None]
        return State(tracked=tuple(map(Tracked, known)))
    return State()
