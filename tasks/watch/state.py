"""State of the watch between its passes: one file, written whole.

`runs/<namespace>/watch/state.json`: streaks of readings, incidents with their messages, counters of
the service and the history of figures. It stands beside the runs, not in Redis, because Redis that
cannot be reached is an incident too (docs/decisions/0051-watch.md).
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nightshelf.contract.incident import Incident
from tasks.errors import RunFolderError
from tasks.watch.deviations import History
from tasks.watch.incidents import Streak
from tasks.watch.message import Message

_FORMAT = 1


@dataclass(frozen=True)
class Delivery:
    """A message on its way to one receiver: due, sending, sent, or given up.

    `to` names the receiver without its secrets. Times are Unix seconds.
    """

    kind: str
    to: str
    due_at: float
    state: str = "due"
    n_attempts: int = 0
    next_at: float = 0.0

    @property
    def over(self) -> bool:
        """True if nothing is left to be done."""
        return self.state in ("sent", "given up")


@dataclass(frozen=True)
class Tracked:
    """An incident with its messages by kind, and their deliveries; `copied`: Redis has its end."""

    incident: Incident
    messages: Mapping[str, Message] = field(default_factory=dict)
    deliveries: tuple[Delivery, ...] = ()
    copied: bool = False

    @property
    def over(self) -> bool:
        """True if the incident has ended, all messages are settled, and Redis has its end."""
        settled = all(each.over for each in self.deliveries)
        return self.incident.ended is not None and settled and self.copied

    def with_delivery(self, at: int, **fields: Any) -> "Tracked":
        """Return it with one delivery changed, and the incident's summary of what was sent."""
        changed = list(self.deliveries)
        changed[at] = replace(changed[at], **fields)
        return replace(self, deliveries=tuple(changed)).summarised()

    def summarised(self) -> "Tracked":
        """Return it with `sent` of the incident as the deliveries are."""
        sent = {}
        for kind in self.messages:
            states = [each.state for each in self.deliveries if each.kind == kind]
            sent[kind] = _summary(states)
        return replace(self, incident=replace(self.incident, sent=sent))


def _summary(states: list[str]) -> str:
    if not states:
        return "to nobody"
    n_sent = states.count("sent")
    if n_sent == len(states):
        return "sent"
    waiting = "given up" if all(s in ("sent", "given up") for s in states) else "waiting"
    return f"{waiting} ({n_sent} of {len(states)} sent)"


@dataclass(frozen=True)
class State:
    """All that one pass hands on to the next; `at` is its time (Unix seconds)."""

    at: float = 0.0
    streaks: Mapping[str, Streak] = field(default_factory=dict)
    tracked: tuple[Tracked, ...] = ()
    counters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    history: History = field(default_factory=History)

    def open_of(self, rule: str) -> Tracked | None:
        """Return the open incident of a rule."""
        for each in self.tracked:
            if each.incident.rule == rule and each.incident.ended is None:
                return each
        return None


@dataclass(frozen=True)
class StateFile:
    """The folder of a namespace's watch."""

    folder: Path

    @classmethod
    def of(cls, run_root: Path, namespace: str) -> "StateFile":
        """Return that of a namespace, its folder made."""
        folder = run_root / namespace / "watch"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / "state.json"

    def read(self) -> State | None:
        """Return the state, or `None` where there is none yet; `RunFolderError` if unreadable."""
        try:
            raw = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise RunFolderError(
                f"{self.path} cannot be read ({error}): delete it; open incidents begin anew"
            ) from error
        return _state(raw)

    def write(self, state: State) -> None:
        """Write the state whole, so that a watch that dies leaves the old one or the new one."""
        raw = {"format": _FORMAT, **asdict(state)}
        raw["history"] = {name: list(each.items()) for name, each in state.history.values.items()}
        partial = self.path.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump(raw, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def log(self, incident: Incident, what: str) -> None:
        """Append a change of an incident to `incidents.jsonl`, beside the watch's folder."""
        line = {"what": what, **asdict(incident)}
        with (self.folder.parent / "incidents.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the watch's lock during the block; yields False where another pass holds it."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def _state(raw: Mapping[str, Any]) -> State:
    return State(
        raw["at"],
        {name: Streak(**each) for name, each in raw["streaks"].items()},
        tuple(map(_tracked, raw["tracked"])),
        raw["counters"],
        History({name: {int(h): v for h, v in each} for name, each in raw["history"].items()}),
    )


def _tracked(raw: Mapping[str, Any]) -> Tracked:
    return Tracked(
        Incident.from_raw(raw["incident"]),
        {kind: Message(**each) for kind, each in raw["messages"].items()},
        tuple(Delivery(**each) for each in raw["deliveries"]),
        raw["copied"],
    )
