"""Conclusions with their confidence and reason, and the questions about unsure ones."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import available_timezones

from data.schema import InputError

Sure = Literal["certain", "likely", "unsure"]

#: No more are asked; of the others the likeliest answer counts, and is printed.
MAX_QUESTIONS = 3


@dataclass(frozen=True)
class Finding:
    """A conclusion on a subject (user, item, time, ...), its confidence and its reason."""

    subject: str
    value: str
    sure: Sure
    why: str


@dataclass(frozen=True)
class Question:
    """A question by its key; `options` are answer -> its description, `default` one of them.

    Any other text is an answer too where `free`. Questions of a lower `rank` come first.
    """

    key: str
    text: str
    options: Mapping[str, str]
    default: str
    rank: int
    free: bool = False


@dataclass
class Doubts:
    """Findings and questions collected while a proposal is made, by the answers given so far."""

    answers: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def add(self, subject: str, value: str, sure: Sure, why: str) -> None:
        """Add a finding."""
        if not any(f.subject == subject and f.value == value for f in self.findings):
            self.findings.append(Finding(subject, value, sure, why))

    def ask(self, question: Question) -> str:
        """Return the answer to a question, its default where none was given, and keep it."""
        if question.key not in {each.key for each in self.questions}:
            self.questions.append(question)
        return self.answers.get(question.key, question.default)

    def open_questions(self) -> list[Question]:
        """Return the questions without an answer, the weightiest first."""
        left = [each for each in self.questions if each.key not in self.answers]
        return sorted(left, key=lambda each: each.rank)


#: Meanings of event types.
MEANINGS = (
    *("purchase", "like", "add_to_cart", "wishlist_add", "rating", "view", "click"),
    *("dislike", "return", "removal", "impression", "idle"),
)
#: Keys of answers, and the answers that fit where only some do.
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "user": (),
    "item": (),
    "category": (),
    "zone": (),
    "ended": (),
    "dates": ("day first", "month first"),
    "type": ("purchase", "view", "click", "like", "add_to_cart"),
    "odd_items": ("leave out", "keep"),
    "again": ("yes", "no"),
}
_COLUMNS = ("user", "item", "category")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def check_answers(answers: Mapping[str, str], columns: Container[str]) -> None:
    """Raise `InputError` for an answer to no question, or one that does not fit it."""
    for key, given in answers.items():
        if key.startswith("type."):
            if given not in MEANINGS:
                raise InputError(f"--answer {key}={given}: expected one of {', '.join(MEANINGS)}")
            continue
        if key not in _ANSWERS:
            keys = ", ".join([*_ANSWERS, "type.<event type>"])
            raise InputError(f"--answer {key}={given}: no such question; there are {keys}")
        fit = _ANSWERS[key]
        if fit and given not in fit:
            raise InputError(f"--answer {key}={given}: expected {' or '.join(map(repr, fit))}")
        if key in _COLUMNS and given not in columns:
            raise InputError(f"--answer {key}={given}: no table has such a column")
        if key == "ended" and not _DAY.fullmatch(given):
            raise InputError(f"--answer ended={given}: expected a day, as 2026-03-01")
        if key == "zone" and given not in available_timezones():
            raise InputError(f"--answer zone={given}: no such zone; one is Europe/Berlin")


def listed(names: Sequence[str], at_most: int = 5) -> str:
    """Return names in a line, the first few of many."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more:,} more" if more > 0 else "")
