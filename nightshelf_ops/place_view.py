"""Output of `nightshelf why` about an item: served or not, and its way through the night."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.text import reason_text
from tasks.explain.trace import Person, Place

if TYPE_CHECKING:
    from nightshelf_ops.answer import Answer

#: Why an item was no candidate, by outcome; of ``seen`` the types are named.
NO_CANDIDATE = {
    "unavailable": "left out: the catalogue had it as not available",
    "not scored": "no candidate: it has neither factors nor links, so it has no score",
    "not in the model": (
        "no candidate: no event of anyone's says anything about it, so it has no factors"
    ),
}


def served_lines(answer: "Answer") -> Iterator[str]:
    """Yield lines on how readers see the item."""
    row, item = answer.rows.get(str(answer.item)), answer.item
    if row is None:
        yield f"{item}: no such item in the catalogue of this generation"
    else:
        yield f"{item}: {row.get('title') or 'without a title'}, in {row.get('category')}"
    if answer.position is not None:
        reason = answer.served.items[answer.position - 1].reason
        yield f"Served: at place {answer.position}, {reason_text(reason, titles(answer))}"
    elif answer.blocked:
        yield f"Served: no, blocked on every path until it is unblocked; {_filler(answer)}"
    else:
        yield f"Served: no, {_list(answer)} does not have it"
    if answer.acted:
        yield "Since the night: the user has acted on it"


def _filler(answer: "Answer") -> str:
    """Name the replacement of a blocked item."""
    if answer.own == "blocked":
        return "nothing else is left of the list, so the fallback fills in"
    return f"the tail of {_list(answer)} fills in"


def _list(answer: "Answer") -> str:
    return "their list" if answer.served.source == "list" else answer.served.source


def place_lines(answer: "Answer") -> Iterator[str]:
    """Yield lines on the item's way through the night."""
    place, person = answer.place, answer.person
    if place is None or person is None:
        return
    yield f"Night: {_outcome(place, person)}"
    if place.score is not None:
        rank = f", rank {place.rank:,} of {person.n_candidates:,} candidates" if place.rank else ""
        end = ""
        if place.last_score is not None:
            end = f"; the list ends at {place.last_score:.4g}"
        yield f"Score: {place.score:.4g}{rank}{end}"


def _outcome(place: Place, person: Person) -> str:
    match place.outcome:
        case "listed":
            return f"taken at place {place.position}, on page {place.page}"
        case "seen":
            return f"left out as seen: {seen_text(person)}"
        case "no room":
            return f"passed over on page {place.page}: {no_room_text(place, person)}"
        case "below":
            return f"not reached: the list's {person.n_listed} places were taken before its turn"
        case _:
            return NO_CANDIDATE[place.outcome]


def seen_text(person: Person) -> str:
    """Name the events after which an item is not shown again."""
    *most, last = person.seen_types
    types = f"{', '.join(most)} or {last}" if most else last
    return f"the log has a {types} of it by the user"


def no_room_text(place: Place, person: Person) -> str:
    """Say that a category was full."""
    return (
        f"{place.category} had its {person.max_per_category} of {person.page_size} places, "
        "and what is passed over does not come back"
    )


def show_tables(answer: "Answer") -> None:
    """Print the items that took its room, and what speaks for it."""
    place, names = answer.place, titles(answer)
    if place is None:
        return
    if place.rivals:
        show_line("")
        table = new_table("place", "taken by", "title", "score", right=("place", "score"))
        for rival in place.rivals:
            title = names.get(rival.item_id, "-")
            add_row(table, str(rival.position), rival.item_id, title, f"{rival.score:.4g}")
        new_console().print(table)
    if place.because:
        show_line("")
        table = new_table("speaks for it", "title", "points", "share", right=("points", "share"))
        for because in place.because:
            name, title = "recent popularity", "-"
            if because.item_id is not None:
                name, title = because.item_id, names.get(because.item_id, "-")
            add_row(table, name, title, f"{because.points:+.4g}", f"{because.share:.0%}")
        new_console().print(table)
        show_line("Share: of all that speaks for it, the list's reason first, the first few shown")


def titles(answer: "Answer") -> dict[str, str]:
    """Return the titles of the items that the answer names."""
    return {name: str(row["title"]) for name, row in answer.rows.items() if row.get("title")}
