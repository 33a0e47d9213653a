"""How the logic asks for what it cannot do itself: a `Talk` yields, and is sent what came of it.

- It yields a batch of commands and is sent as many replies (an error in place of one that was
  refused), or `Unanswered` where none came.
- It yields the landing of another's read, and is sent `None` once that is done or the time is up.

One who closes a talk before its end closes what it had begun.
"""

from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Command = tuple[str | bytes | int | float, ...]
Batch = list[Command]
#: Done once another's read has landed.
Landing = Future[None]
Talk = Generator[Batch | Landing, Any, T]


@dataclass(frozen=True)
class Unanswered:
    """No reply came: a cause of `nightshelf.client.core.failures`, and the error's words."""

    cause: str
    words: str
