"""Cursor: an opaque text from which the next page of a list goes on.

It holds the generation, the position among stored items, the filters' fingerprint, the fallback
level and the variant of an experiment, and no id of the user.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from nightshelf.contract.experiment import Assignment
from nightshelf.contract.keys import decode_id, encode_id
from nightshelf.errors import InvalidCursor

_MAX_LENGTH = 2_048
_KINDS = ("list", "popular")


@dataclass(frozen=True)
class Cursor:
    """A parsed cursor; `level` as in `nightshelf.client.core.masking.MaskedList`.

    `assignment` is that of the first page.
    """

    generation: int
    at: int
    filters: str
    level: str
    assignment: Assignment | None = None

    def __str__(self) -> str:
        return text_of(self.generation, self.at, self.filters, self.level, self.assignment)

    @classmethod
    def parse(cls, text: str, filters: str) -> "Cursor":
        """Parse a cursor; `InvalidCursor` for other texts, or other filters than it was made with.

        >>> Cursor.parse("44.10.-.list%3Aals", "-")
        Cursor(generation=44, at=10, filters='-', level='list:als', assignment=None)
        """
        parts = text[:_MAX_LENGTH].split(".", 3)
        if len(parts) != 4 or not all(_is_number(part) for part in parts[:2]):
            raise _invalid(text)
        if parts[2] != filters:
            raise InvalidCursor("a cursor goes with the filters that it was given out with")
        quoted, mark, assignment = parts[3].partition("!")
        level = unquote(quoted)
        kind, colon, name = level.partition(":")
        if kind not in _KINDS or not colon or not name:
            raise _invalid(text)
        try:
            in_experiment = _assignment(assignment) if mark else None
        except ValueError as error:  # InvalidKey among them
            raise _invalid(text) from error
        return cls(int(parts[0]), int(parts[1]), parts[2], level, in_experiment)


def text_of(
    generation: int, at: int, filters: str, level: str, assignment: Assignment | None = None
) -> str:
    """Return a cursor's text; every page has one, so no `Cursor` is made for it.

    >>> text_of(44, 10, "-", "list:ease", Assignment("exp-1", 2, "b", "ease"))
    '44.10.-.list%3Aease!exp-1%3A2%3Ab%3Aease'
    """
    text = f"{generation}.{at}.{filters}.{_quoted(level)}"
    return f"{text}!{_marked(assignment)}" if assignment else text


@lru_cache(maxsize=1_024)  # few distinct levels, one for every page
def _quoted(level: str) -> str:
    return quote(level, safe="")


@lru_cache(maxsize=1_024)
def _marked(assignment: Assignment) -> str:
    names = assignment.experiment, assignment.variant, assignment.model
    experiment, variant, model = map(encode_id, names)
    parts = [experiment, str(assignment.phase), variant, model]
    return quote(":".join([*parts, *(["forced"] if assignment.forced else [])]), safe="")


def _assignment(marked: str) -> Assignment:
    """Undo `_marked`; raises `ValueError`."""
    experiment, phase, variant, model, *forced = unquote(marked).split(":")
    if not _is_number(phase) or forced not in ([], ["forced"]):
        raise ValueError(marked)
    names = decode_id(variant), decode_id(model)
    found = Assignment(decode_id(experiment), int(phase), *names, forced=bool(forced))
    if _marked(found) != marked:
        raise ValueError(marked)
    return found


def _invalid(text: str) -> InvalidCursor:
    return InvalidCursor(f"not a cursor: {text[:80]!r}; pass on what a result gave")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
