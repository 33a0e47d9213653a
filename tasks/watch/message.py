"""Messages of incidents: opened, worse, ended; and a test."""

from collections.abc import Iterator
from dataclasses import dataclass

from nightshelf.contract.incident import Incident
from nightshelf.contract.values import instant
from nightshelf.text import age_text, minute_text
from tasks.watch.settings import WatchSettings

#: Kinds of a message, in the order in which an incident has them.
KINDS = ("opened", "worse", "ended")


@dataclass(frozen=True)
class Message:
    """A message: its title, its body (plain text), and its kind: warning, critical, ended, test."""

    title: str
    body: str
    kind: str

    def again(self) -> "Message":
        """Return the message as it is sent after the watch died while sending it."""
        note = (
            "Sent again: the watch was stopped while it sent this, and cannot tell if it arrived."
        )
        return Message(self.title, f"{self.body}\n\n{note}", self.kind)


def incident_message(
    incident: Incident,
    kind: str,
    says: str,
    namespace: str,
    settings: WatchSettings,
    generation: int | None,
) -> Message:
    """Return the message of an incident that has opened, got worse, or ended.

    `says` is the figure's sentence now, `generation` the live one, whose report is linked.
    """
    ended = kind == "ended"
    state = {"opened": incident.level, "worse": "now critical", "ended": "over"}[kind]
    parts = [f"Since {minute_text(incident.since)} UTC"]
    if ended:
        parts[0] += f", over at {minute_text(incident.ended or '')} UTC, after {_lasted(incident)}"
    parts[0] += "."
    if ended:
        parts.append(f"It was: {incident.says}")
    elif incident.changed:
        parts.append("\n".join(["What changed:", *(f"- {line}" for line in incident.changed)]))
    if not ended:
        parts.append(f"What to do: {incident.advice}\n{incident.runbook}")
    parts += filter(None, ["\n".join(_links(namespace, settings, generation))])
    parts.append(f"Incident {incident.id}, {kind}. All: nightshelf alerts -s {namespace}")
    title = f"[{state}] {namespace}: {says}"
    return Message(title, "\n\n".join(parts), "ended" if ended else incident.level)


def trial_message(namespace: str) -> Message:
    """Return the message of `nightshelf alerts test`."""
    body = "Messages about incidents of this namespace arrive here. Nothing is wrong."
    return Message(f"[test] {namespace}: a test of the watch", body, "test")


def _links(namespace: str, settings: WatchSettings, generation: int | None) -> Iterator[str]:
    if settings.report_url and generation:
        base = settings.report_url.rstrip("/")
        yield f"Report: {base}/{namespace}/{generation}/report.html"
    if settings.console_url:
        yield f"Console: {settings.console_url}"


def _lasted(incident: Incident) -> str:
    began, ended = instant(incident.since), instant(incident.ended or "")
    return age_text((ended - began).total_seconds() if began and ended else None)
