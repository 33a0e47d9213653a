"""Why Redis did not give what was asked: a word for each cause, to count by."""

from queue import Empty

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ResponseError,
)
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

#: - ``timeout`` slow or frozen; ``refused`` gone, or gone meanwhile; ``loading`` its data; ``auth``
#:   password or right; ``oom`` full; ``error`` any other refusal
#: - ``busy``: all of this process's connections were in use
#: - ``full``: an event was not recorded, since `ReadSettings.max_events` wait to be collected
#: - ``breaker``: not asked, since it failed a moment ago
#: - ``corrupt``: a value that is none of the contract's; ``missing``: no pointer
CAUSES = (
    "timeout", "refused", "loading", "auth", "oom", "error", "busy", "full", "breaker", "corrupt",
    "missing",
)  # fmt: skip
#: What says that asking again at once is in vain.
TROUBLE = frozenset({"timeout", "refused", "loading", "auth"})

_ORDER: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((NoAnswer, TimeoutError), "timeout"),
    ((BusyLoadingError,), "loading"),
    ((AuthenticationError, NoPermissionError), "auth"),
    ((OutOfMemoryError,), "oom"),
    ((ResponseError,), "error"),
    ((NoConnection, OSError), "refused"),
)


def cause_of(error: Exception) -> str:
    """Return the cause that an error tells of.

    >>> cause_of(NoAnswer("Timeout reading from socket")), cause_of(OSError("reset"))
    ('timeout', 'refused')
    """
    # Both colours' pools say it with the error for a lost connection; what they caught differs.
    waited = isinstance(error, NoConnection) and isinstance(error.__context__, Empty | TimeoutError)
    if waited and str(error).startswith("No connection available"):
        return "busy"
    return next((cause for kinds, cause in _ORDER if isinstance(error, kinds)), "error")
