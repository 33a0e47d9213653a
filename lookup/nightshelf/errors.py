"""Exceptions of this package, as one tree.

    NightshelfError
    +-- InvalidKey (also a ValueError): an invalid id, namespace or segment
    +-- InvalidCursor (also a ValueError): an invalid cursor, or one of other filters
    +-- CorruptValue: a value that is not of this version of the contract
    +-- NotFound: a named thing that does not exist (raised by the command alone)
    +-- TransitionRefused: a change of generations that was not made, with a reason

Reads of `nightshelf.Shelf` raise none of these for a slow or absent Redis: they return a fallback.
"""


class NightshelfError(Exception):
    """Base of all exceptions of this package."""


class InvalidKey(NightshelfError, ValueError):  # noqa: N818 - reads better at the call site
    """An id, namespace or segment that cannot be part of a key."""


class InvalidCursor(NightshelfError, ValueError):  # noqa: N818
    """A text that is not a cursor, or a cursor used with other filters."""


class CorruptValue(NightshelfError):  # noqa: N818
    """A value in Redis that is not of this version of the contract."""


class NotFound(NightshelfError):  # noqa: N818
    """A named thing that does not exist; readers get a fallback instead."""


class TransitionRefused(NightshelfError):  # noqa: N818
    """A refused change of generations: nothing was changed.

    `reason` is one of

    - `fenced` (a newer generation has been live), `pinned` (another is held live),
    - `bad` (marked so), `not-staged`, `incomplete` (half staged), `unknown`,
    - `expired` (its keys have expired, or are about to), `nothing-older`, `nothing-live`,
    - `live`, `previous`, `staged` (it may be needed), `too-soon` (readers may still read it),
    - `blocked` (by a gate), `superseded` (the live one has seen more of the log),
    - `contended` (others changed the namespace meanwhile).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
