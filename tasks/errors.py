"""Errors of a night or a collection, as one tree (all are `nightshelf.NightshelfError`).

- `SettingsError`: a setting is misspelt, or has a value that it cannot have.
- `InputError`: the input breaks the contract of `tasks/ingest/contract.py`; nothing was computed.
- `TooManyBadRows`: a larger share of the rows than allowed is in quarantine.
- `NothingToLearn`: no event of a type that the weights table knows is left.
- `ModelError`: training gave factors that are not finite.
- `GateBlocked`: a gate blocks the generation; the live one goes on serving.
- `RedisUnavailable`: Redis cannot be reached or takes no writes; nothing was computed.
- `NoRoom`: the generation does not fit beside what Redis holds; nothing was written.
- `ProcessDied`: the process that computed a date of a backfill was killed.
- `DiskError`: the disk is full, read-only or over its quota; nothing is left half written.
- `RunFolderError`: a run's folder lacks files that are needed.
- `VerificationError`: Redis returned other content than was staged.
- `ExperimentAlarm`: a guardrail is breached, or users are not divided as they should be.
- `EventsLost`: tracked events left Redis before they were collected; the others are safe.
"""

from nightshelf.errors import NightshelfError


class SettingsError(NightshelfError):
    """A setting is misspelt, or has a value that it cannot have."""


class InputError(NightshelfError):
    """The input breaks the contract; the message names file, column, found and expected."""


class TooManyBadRows(NightshelfError):  # noqa: N818 - reads better at the call site
    """A larger share of the rows than allowed went to quarantine."""


class NothingToLearn(NightshelfError):  # noqa: N818
    """No event is left that could teach the model anything."""


class ModelError(NightshelfError):
    """Training gave factors that are not finite."""


class GateBlocked(NightshelfError):  # noqa: N818
    """A gate blocks the generation."""


class RedisUnavailable(NightshelfError):  # noqa: N818
    """Redis cannot be reached, or takes no writes."""


class NoRoom(NightshelfError):  # noqa: N818
    """The generation does not fit into Redis beside what is there."""


class ProcessDied(NightshelfError):  # noqa: N818
    """The process that computed a date of a backfill ended before its work did."""


class DiskError(NightshelfError, OSError):
    """The disk takes no more; the message says what was written, where, and how much was free."""


class RunFolderError(NightshelfError):
    """A run's folder lacks files that are needed."""


class VerificationError(NightshelfError):
    """Redis returned other content than was staged."""


class EventsLost(NightshelfError):  # noqa: N818
    """Tracked events left Redis before they were collected."""


class ExperimentAlarm(NightshelfError):  # noqa: N818
    """A guardrail of an experiment is breached, or its sample ratio fails; all was read out."""
