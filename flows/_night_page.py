"""The first artifact of a night: what happened, what to do, and where to read more."""

from collections.abc import Iterator

from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Failed
from redis import RedisError

from flows import artifact_key
from nightshelf.errors import TransitionRefused
from tasks.errors import (
    DiskError,
    GateBlocked,
    InputError,
    ModelError,
    NoRoom,
    NothingToLearn,
    RedisUnavailable,
    RunFolderError,
    SettingsError,
    TooManyBadRows,
    VerificationError,
)
from tasks.report.markdown import escape
from tasks.report.prediction import Facts
from tasks.watch.settings import WatchSettings

#: The page of the documentation about nights that fail.
RUNBOOK = "docs/how-to/when-a-night-fails.md"
_AGAIN = "then start the night again: it goes on after the last finished step"
_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (
        GateBlocked,
        "Read the gates in the report. If the log is wrong, mend it and start the night again; if "
        "the lists are right as they are, `nightshelf promote` them",
    ),
    (TransitionRefused, "Readers keep the live generation. See `nightshelf generations`"),
    (InputError, f"Mend the files that the message names, {_AGAIN}"),
    (TooManyBadRows, f"Read the quarantine that the message names, mend the log, {_AGAIN}"),
    (NothingToLearn, "Give the log's event types weights in [features.weights]; check --as-of"),
    (SettingsError, "Correct the setting that the message names, then start the night again"),
    (NoRoom, f"Raise maxmemory, or `nightshelf retire` an older generation, {_AGAIN}"),
    (DiskError, f"Make room on the disk, {_AGAIN}"),
    (VerificationError, f"See that Redis keeps what it is given (noeviction), {_AGAIN}"),
    (ModelError, "Look at the training's settings, then start the night again"),
    (RunFolderError, "Restore the files of the run, or start the night anew"),
    (RedisUnavailable, f"Start Redis, check REDIS_URL, maxmemory and rights, {_AGAIN}"),
    (RedisError, f"See that Redis is up and takes writes, {_AGAIN}"),
)
_PIN = (
    "A pin holds another generation live. To let this one serve: `nightshelf unpin`, then "
    "`nightshelf promote`"
)


def advice(error: Exception) -> str:
    """Return what to do about a night's error, a sentence without its full stop."""
    found = (says for kind, says in _ADVICE if isinstance(error, kind))
    return next(found, "Read the message, and start the night again")


def failed(namespace: str, error: Exception, links: WatchSettings) -> State[None]:
    """Return the state of a failed or blocked night, and show it as its first artifact."""
    blocked = isinstance(error, GateBlocked)
    says, todo = str(error), advice(error)
    head = "was blocked by a gate" if blocked else "failed"
    more = f"**What to do**: {todo}. More: {_runbook(links)}."
    served = "Readers are served as before: nothing that they read changed."
    served += f" [The console]({links.console_url})." if links.console_url else ""
    _show(namespace, head, [*_paragraphs(says), more, served])
    message = f"{says.rstrip('.')}. What to do: {todo}. More: {RUNBOOK}"
    return Failed(message=message, name="Blocked" if blocked else "Failed", data=error)


def superseded_page(namespace: str, message: str) -> None:
    """Show why a night was not made."""
    _show(namespace, "was superseded", [escape(message)])


def night_page(namespace: str, state: str, report: str, facts: Facts, links: WatchSettings) -> None:
    """Show a night that is over: its state, what it predicts, and links."""
    night, prediction = facts["night"], facts["prediction"]
    parts = [
        _PIN + "." if state == "staged" else "",
        escape(prediction["sentence"]),
        "\n".join(f"- Warning: {escape(warning)}" for warning in facts["warnings"]),
        "\n".join(f"- {link}" for link in _links(namespace, night["generation"], report, links)),
    ]
    _show(namespace, f"is {state}, as generation {night['generation']}", parts)


def _links(namespace: str, generation: int, report: str, links: WatchSettings) -> Iterator[str]:
    """Yield links to the report and to the console, as far as addresses are set."""
    yield f"Report: `{report}`"
    if links.report_url:
        base = links.report_url.rstrip("/")
        yield f"Report: [report.html]({base}/{namespace}/{generation}/report.html)"
    if links.console_url:
        base = links.console_url.rstrip("/")
        yield f"Console: [generation {generation}]({base}/generation?number={generation})"


def _runbook(links: WatchSettings) -> str:
    if not links.runbook_url:
        return f"`{RUNBOOK}`"
    return f"[When a night fails]({links.runbook_url.rstrip('/')}/{RUNBOOK})"


def _paragraphs(text: str) -> list[str]:
    return [escape(line) for line in text.splitlines() if line.strip()]


def _show(namespace: str, head: str, parts: list[str]) -> None:
    body = [f"# The night of {escape(namespace)} {escape(head)}", *parts]
    create_markdown_artifact(
        "\n\n".join(part for part in body if part),
        key=artifact_key(namespace, "night"),
        description=f"The night {head}",
    )
