"""Output of `nightshelf why`, from the user to the item."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from nightshelf.cli.tables.terminal import show_line
from nightshelf.client.core.masking import FAVORITES
from nightshelf.contract.values import instant
from nightshelf.text import minute_text, segment_text
from nightshelf_ops.place_view import place_lines, served_lines, show_tables
from tasks.explain.trace import Person

if TYPE_CHECKING:
    from nightshelf_ops.answer import Answer


#: What is wrong with a list that Redis has.
_OWN = {
    "unreadable": "Redis holds one that cannot be read; republish the run's folder",
    "blocked": "every item in it is blocked",
}


def show(answer: "Answer", namespace: str) -> None:
    """Print the trace."""
    for line in user_lines(answer, namespace):
        show_line(line)
    if answer.missing:
        show_line(f"No trace: {answer.missing}; name the folder of the runs with --run-root")
    if answer.item is not None and answer.manifest is not None:
        show_line("")
        for line in (*served_lines(answer), *place_lines(answer)):
            show_line(line)
        show_tables(answer)


def user_lines(answer: "Answer", namespace: str) -> list[str]:
    """Return lines on the list that the user is served, and how the night made it."""
    person = _person(answer.person) if answer.person is not None else ()
    return [*_served(answer, namespace), *_fallback(answer), *person]


def _served(answer: "Answer", namespace: str) -> Iterator[str]:
    result, manifest = answer.served, answer.manifest
    if manifest is None:
        yield (
            f"Nothing is live in {namespace}, so {answer.user} is served nothing: run the night, "
            "or republish a run's folder"
        )
        return
    what = "their own list" if result.source == "list" else f"{result.source}, a fallback"
    role = "canary generation" if answer.canary else "generation"
    yield f"{answer.user} is served {what}: {len(result.items)} items"
    yield (
        f"Made by: {role} {manifest.generation}, as of {minute_text(manifest.as_of)} UTC, "
        f"config {manifest.config_hash[:8] or '-'}, model {manifest.model_hash[:8] or '-'}"
    )
    if result.experiment:
        yield (
            f"Experiment: {result.experiment}, phase {result.phase}, variant {result.variant}, "
            f"served {result.model}"
        )
    yield f"User: {_user(answer)}"


def _user(answer: "Answer") -> str:
    row = answer.row
    if row is None:
        return "not known, neither by the log nor by the users file"
    segment = row.get("segment")
    n_events = row.get("events") or 0
    return f"{n_events:,} events in the log, {f'segment {segment}' if segment else 'no segment'}"


def _fallback(answer: "Answer") -> Iterator[str]:
    """Say why the own list is not served, and which fallback level is."""
    source = answer.served.source
    if source == "list" or answer.manifest is None:
        return
    yield f"Why no list of their own: {_absence(answer)}"
    kind, _, segment = source.partition(":")
    wanted = (answer.row or {}).get("segment")
    if kind != "popular":
        yield "Why this: no popular list is left either; run the night, or republish a run's folder"
    elif segment == FAVORITES:
        yield "Why this: what is popular in the user's favourite categories, from each in turn"
    elif segment != "all":
        yield f"Why this: {segment_text(segment)} is the user's segment, and has a popular list"
    elif wanted:
        yield f"Why this: segment {wanted} has no popular list, or all of it is blocked"
    else:
        yield "Why this: without a segment, what is popular with everyone is all there is"


def _absence(answer: "Answer") -> str:
    if answer.own in _OWN:
        return _OWN[answer.own]
    person = answer.person
    if answer.missing:
        return "Redis holds none"
    if person is None:
        return f"no factors, since {_silence(answer)}"
    if person.n_candidates == 0:
        return (
            f"no candidate is left: {person.n_seen:,} items seen, "
            f"{person.n_unavailable:,} unavailable"
        )
    last_seen = _inactive_since(answer, person.active_within_days)
    if last_seen is None:
        return f"the night made one of {person.n_listed} items, and {_gone(answer)}"
    return (
        f"last seen {last_seen}, more than {person.active_within_days} days before the night "
        "(topn.active_within_days)"
    )


def _inactive_since(answer: "Answer", within_days: int | None) -> str | None:
    """Return when the user was last seen, if that is too long ago for a list of their own."""
    text = (answer.row or {}).get("last_seen") or ""
    last_seen, as_of = instant(text), instant(answer.manifest.as_of if answer.manifest else "")
    if within_days is None or last_seen is None or as_of is None:
        return None
    return minute_text(text) if last_seen < as_of - timedelta(days=within_days) else None


def _silence(answer: "Answer") -> str:
    if answer.row and answer.row.get("events"):
        return "none of their events is of a type that says anything about an item"
    return "the night saw no event of theirs"


def _gone(answer: "Answer") -> str:
    if answer.expired:
        return "its key has expired"
    return "its key is gone before its time: deleted (forget?), or evicted"


def _person(person: Person) -> Iterator[str]:
    yield f"History: {person.n_history:,} items that the model learnt from"
    unscored = f", {person.n_unscored:,} without a score" if person.n_unscored else ""
    yield (
        f"Candidates: {person.n_candidates:,} of the model's {person.n_model_items:,} items; "
        f"left out: {person.n_seen:,} seen, {person.n_unavailable:,} unavailable{unscored}"
    )
    yield (
        f"List: {person.n_listed} taken from the top by score; {person.n_no_room} passed over, "
        f"their category full ({person.max_per_category} in a page of {person.page_size})"
    )
    if person.trades:
        yield f"Beyond that, {', '.join(person.trades)} shaped the list: places may differ from it"
