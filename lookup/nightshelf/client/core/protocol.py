"""Protocol between the client's logic and its transports: an `Exchange` yields needs, gets replies.

- It yields a batch of commands, and is sent a reply for each (an error in place of a refused one)
  or one `NoReply`.
- It yields the `InFlight` of another call's read, and is sent `None` when that ends or time is up.

A transport that stops early closes the generator, which ends the reads that it had begun.
"""

from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Command = tuple[str | bytes | int | float, ...]
Batch = list[Command]
#: Done once another call's read has ended.
InFlight = Future[None]
Exchange = Generator[Batch | InFlight, Any, T]


@dataclass(frozen=True)
class NoReply:
    """A batch without replies: a cause of `nightshelf.client.core.failures`, and its message."""

    cause: str
    message: str
