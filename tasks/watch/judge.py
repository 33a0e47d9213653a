"""Judge a pass's readings: incidents that open, get worse or end, and their messages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from nightshelf.contract.incident import Incident, Reading
from tasks.watch.changes import changes
from tasks.watch.incidents import Streak, level_after
from tasks.watch.message import incident_message
from tasks.watch.night_figures import Night
from tasks.watch.rules import Rule
from tasks.watch.send import addressed
from tasks.watch.settings import WatchSettings
from tasks.watch.state import State, Tracked


@dataclass(frozen=True)
class Nights:
    """The live night, the last good one before it, and one that is staged beyond it."""

    live: Night | None = None
    before: Night | None = None
    staged: Night | None = None

    def changes(self, rule: str) -> tuple[str, ...]:
        """Return what has changed: by the live night, or by one that was not let live."""
        if rule == "last_night" and self.staged is not None:
            return changes(self.staged, self.live)
        return changes(self.live, self.before)

    @property
    def generation(self) -> int | None:
        """Number of the live generation."""
        return self.live.manifest.generation if self.live else None


@dataclass(frozen=True)
class _Judge:
    """Context of a pass that all its incidents share."""

    nights: Nights
    settings: WatchSettings
    namespace: str
    to: Sequence[str]
    now: datetime

    def opened(self, rule: Rule, reading: Reading, level: str, since: float) -> Tracked:
        """Return a new incident, with its message."""
        began = datetime.fromtimestamp(since, UTC)
        incident = Incident(
            id=f"{rule.name}-{began:%Y%m%dT%H%M%SZ}",
            rule=rule.name,
            level=level,
            since=began.isoformat(timespec="seconds"),
            says=reading.says,
            changed=self.nights.changes(rule.name),
            advice=rule.advice,
            runbook=_runbook(rule, self.settings),
        )
        return self.with_message(Tracked(incident), "opened", reading.says)

    def worse(self, tracked: Tracked, reading: Reading) -> Tracked:
        """Return an incident that has become critical, with its message."""
        incident = replace(tracked.incident, level="critical", says=reading.says)
        return self.with_message(replace(tracked, incident=incident), "worse", reading.says)

    def ended(self, tracked: Tracked, says: str) -> Tracked:
        """Return an incident that is over, with its message."""
        ended = self.now.isoformat(timespec="seconds")
        incident = replace(tracked.incident, ended=ended)
        return self.with_message(replace(tracked, incident=incident), "ended", says)

    def with_message(self, tracked: Tracked, kind: str, says: str) -> Tracked:
        """Return an incident with a message that is due to every receiver."""
        about = (self.namespace, self.settings, self.nights.generation)
        message = incident_message(tracked.incident, kind, says, *about)
        return addressed(tracked, kind, message, self.to, self.now.timestamp())


def judged(
    state: State,
    readings: Sequence[Reading],
    nights: Nights,
    settings: WatchSettings,
    namespace: str,
    to: Sequence[str],
    now: datetime,
) -> State:
    """Return the state after a pass's readings; nothing is sent yet."""
    judge = _Judge(nights, settings, namespace, to, now)
    rules, streaks = settings.all_rules, dict[str, Streak]()
    tracked = {each.incident.id: each for each in state.tracked}
    for reading in readings:
        rule = rules[reading.rule]
        streak = state.streaks.get(rule.name, Streak()).then(reading.level, now.timestamp())
        streaks[rule.name] = streak
        after = _after(state.open_of(rule.name), rule, reading, streak, judge)
        if after is not None:
            tracked[after.incident.id] = after
    read = {reading.rule for reading in readings}
    for each in state.tracked:
        if each.incident.ended is None and each.incident.rule not in read:
            over = judge.ended(each, f"rule {each.incident.rule} is off in the settings")
            tracked[each.incident.id] = over
    return replace(state, at=now.timestamp(), streaks=streaks, tracked=tuple(tracked.values()))


def _after(
    before: Tracked | None, rule: Rule, reading: Reading, streak: Streak, judge: _Judge
) -> Tracked | None:
    """Return a rule's incident after a reading, `None` where there is none."""
    was = before.incident.level if before else None
    level = level_after(
        was, streak, judge.now.timestamp(), for_s=rule.for_s, clear_s=judge.settings.clear_s
    )
    if before is None:
        return None if level is None else judge.opened(rule, reading, level, streak.bad or 0.0)
    if level is None:
        return judge.ended(before, reading.says)
    return judge.worse(before, reading) if level != was else before


def _runbook(rule: Rule, settings: WatchSettings) -> str:
    """Return the address of a rule's runbook."""
    if not settings.runbook_url or "://" in rule.runbook:
        return rule.runbook
    return f"{settings.runbook_url.rstrip('/')}/{rule.runbook}"
