"""Failures of Redis: a cause to count each by, and a message with a remedy."""

from queue import Empty
from typing import NamedTuple

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    ClusterError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer
from redis.sentinel import MasterNotFoundError

#: Errors of a Redis that is gone, slow, loading, full or forbidden (the last: bytes not a text).
FAILURES = (RedisError, OSError, UnicodeDecodeError)
#: Errors of one node of a cluster that is gone or silent, in place of a reply.
NODE_LOST = (NoAnswer, NoConnection, OSError, ClusterDownError)
#: - ``timeout``: slow or frozen; ``refused``: no server, or a connection lost; ``loading``: its
#:   data; ``auth``: password or permission; ``oom``: full; ``error``: any other refusal
#: - ``busy``: all connections of this process were in use
#: - ``full``: an event was not recorded, since `ReadSettings.max_events` wait to be collected
#: - ``breaker``: not asked, since Redis failed a moment ago
#: - ``corrupt``: a value that is not of the contract; ``missing``: no pointer
CAUSES = (
    "timeout", "refused", "loading", "auth", "oom", "error", "busy", "full", "breaker", "corrupt",
    "missing",
)  # fmt: skip
#: Causes that open the breaker: another try at once would fail too.
TROUBLE = frozenset({"timeout", "refused", "loading", "auth"})
#: Causes for which a value may be there all the same.
UNREAD = TROUBLE | {"busy", "breaker"}


class NotAsked(NoConnection):
    """A node of a cluster was not asked, since it failed a moment ago or time was up."""


_ORDER: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((NoAnswer, TimeoutError), "timeout"),
    ((NotAsked,), "breaker"),
    ((BusyLoadingError,), "loading"),
    ((AuthenticationError, NoPermissionError), "auth"),
    ((OutOfMemoryError,), "oom"),
    ((ResponseError,), "error"),
    ((NoConnection, OSError), "refused"),
)


def cause_of(error: Exception) -> str:
    """Return the cause of an error.

    >>> cause_of(NoAnswer("Timeout reading from socket")), cause_of(OSError("reset"))
    ('timeout', 'refused')
    """
    # Both pools raise the error of a lost connection here; its context differs.
    waited = isinstance(error, NoConnection) and isinstance(error.__context__, Empty | TimeoutError)
    if waited and str(error).startswith("No connection available"):
        return "busy"
    return next((cause for kinds, cause in _ORDER if isinstance(error, kinds)), "error")


class Failure(NamedTuple):
    """A finding and its remedy, which may be empty."""

    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.found}: {self.remedy}" if self.remedy else self.found


_START = "start Redis there, or name the one meant (--redis-url, REDIS_URL)"
_SENTINELS = (
    "see if the sentinels run and know that name (SENTINEL MASTERS), and for rediss+sentinel:// if "
    "ssl_ca_certs vouches for their certificates"
)
_KINDS: tuple[tuple[tuple[type[Exception], ...], Failure], ...] = (
    (
        (BusyLoadingError,),
        Failure("it is loading its data from disk, and answers nothing", "wait until it is done"),
    ),
    (
        (AuthenticationError,),
        Failure("it refuses this login: {}", "mend the user and password in REDIS_URL"),
    ),
    ((NoPermissionError,), Failure("{}", "use a login with that right (deploy/users.acl)")),
    ((ReadOnlyError,), Failure("it is a replica, and takes no writes", "use its primary")),
    (
        (AskError, ClusterError, ClusterCrossSlotError, TryAgainError),
        Failure(
            "it is a Redis Cluster, named as one server or with a part of it down",
            "name it by redis+cluster://, and see `CLUSTER INFO`",
        ),
    ),
    ((InvalidResponse,), Failure("what answers there is not Redis ({})", _START)),
)


def failure(error: Exception, timeout_s: float | None = None) -> Failure:
    """Describe an error of redis-py or of a socket; `timeout_s` is the time that was waited.

    >>> str(failure(NoAnswer("Timeout reading from socket"), 0.05))[:63]
    'it accepts connections but does not answer within 50 ms: see if'
    """
    text = str(error).rstrip(".") or type(error).__name__
    if isinstance(error, NoAnswer | TimeoutError):
        return _silent(text, timeout_s)
    if isinstance(error, MasterNotFoundError):
        return Failure(text.partition(" : ")[0], _SENTINELS)  # then come its clients, at length
    for kinds, (found, remedy) in _KINDS:
        if isinstance(error, kinds):
            return Failure(found.format(text), remedy)
    return _unconnected(text) if isinstance(error, NoConnection | OSError) else Failure(text)


def _silent(text: str, timeout_s: float | None) -> Failure:
    within = f" within {timeout_s * 1000:,.0f} ms" if timeout_s else " in time"
    if "connecting" in text:
        return Failure(f"no connection{within}", "check host and port, and the network between")
    return Failure(
        f"it accepts connections but does not answer{within}",
        "see if the server is frozen, or busy with a slow command (SLOWLOG GET)",
    )


def _unconnected(text: str) -> Failure:
    if "No connection available" in text:
        return Failure(text, "raise max_connections in the URL")
    if "max number of clients" in text:
        return Failure(text, "raise maxclients, or find what keeps connections open")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return Failure(
            text, "name the certificate to trust by ?ssl_ca_certs=/path/to/it in the URL"
        )
    if "SSL" in text or "WRONG_VERSION" in text:
        return Failure(text, "rediss:// is for TLS, redis:// for none")
    return Failure(text, _START if "refused" in text or "No such file" in text else "")
