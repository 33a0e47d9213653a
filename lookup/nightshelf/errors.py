"""What can go wrong, as one tree.

- `NightshelfError`
    - `InvalidKey` (also a `ValueError`): an id, namespace or segment that cannot be part of a key.
    - `InvalidCursor` (also a `ValueError`): a cursor that is none, or of another question.
    - `CorruptValue`: a value under one of our keys that this version cannot read.
    - `NotFound`: something that was asked for by name and is not there (the command's alone).
    - `TransitionRefused`: a change of generations that was not made, and why.

Readers see none of these for a Redis that is slow or gone: `nightshelf.Shelf` answers with a
fallback instead.
"""


class NightshelfError(Exception):
    """Base of everything that this package raises on purpose."""


class InvalidKey(NightshelfError, ValueError):  # noqa: N818 - reads better at the call site
    """An id, a namespace or a segment that cannot be part of a key."""


class InvalidCursor(NightshelfError, ValueError):  # noqa: N818
    """A cursor that this shelf did not give out, or not for what is asked with it."""


class CorruptValue(NightshelfError):  # noqa: N818
    """A value under one of our keys that this version of the contract cannot read."""


class NotFound(NightshelfError):  # noqa: N818
    """Something that was asked for by name and is not there; readers are given a fallback."""


class TransitionRefused(NightshelfError):  # noqa: N818
    """Nothing was changed; `reason` says why, and readers noticed nothing.

    `reason` is one of

    - `fenced` (a newer generation has been live), `pinned` (another is held live),
    - `bad` (marked so), `not-staged`, `incomplete` (half staged), `unknown`,
    - `expired` (its keys have left, or are about to), `nothing-older`, `nothing-live`,
    - `live`, `previous`, `staged` (it may be needed), `too-soon` (readers may still read it),
    - `blocked` (a gate held it back), `superseded` (what is live has seen more),
    - `contended` (others changed the namespace meanwhile).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
