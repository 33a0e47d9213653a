"""Examine a namespace and its server: findings, each with its remedy.

Each check is a pure function (`server_checks`, `permissions`, `namespace_checks`, `event_checks`)
of the facts read (`facts`). Nothing is written, and keys are sampled, so a big server is read for
seconds at most. A refused command, or a server that dies during a check, is a finding.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from nightshelf.client.core.failures import failure
from nightshelf.client.transport.connection import deadline_s
from nightshelf.contract.keys import Keys
from nightshelf.doctor import namespace_checks, server_checks
from nightshelf.doctor.event_checks import events
from nightshelf.doctor.facts import Facts
from nightshelf.doctor.finding import Finding
from nightshelf.doctor.permissions import rights
from nightshelf.errors import CorruptValue


def _of_each(facts: Facts, check: Callable[[str, Mapping[str, Any]], Finding]) -> Finding:
    """Check each server by its INFO; return the worst finding."""
    return server_checks.worst({at: check(at, info) for at, info in facts.infos.items()})


CHECKS: Mapping[str, Callable[[Facts], Finding]] = {
    "connection": lambda p: server_checks.connection(p.round_trips_s),
    "server": lambda p: _of_each(
        p, lambda _, info: server_checks.server(info, as_cluster=p.shares is not None)
    ),
    "replication": lambda p: (
        server_checks.cluster(p.shares, p.infos)
        if p.shares is not None
        else _of_each(p, lambda _, info: server_checks.replication(info))
    ),
    "rights": lambda p: rights(p.login, Keys(p.namespace)),
    "clock": lambda p: server_checks.clock(p.clock_offset_s),
    "memory": lambda p: _of_each(p, lambda _, info: server_checks.memory(info)),
    "room": lambda p: _of_each(
        p,
        lambda at, info: server_checks.room(
            info, p.state.live, p.key_bytes, (p.shares or {}).get(at, 1.0)
        ),
    ),
    "persistence": lambda p: _of_each(
        p, lambda _, info: server_checks.persistence(info, p.now.timestamp())
    ),
    "pointer": lambda p: namespace_checks.pointer(p.pointer),
    "keys": lambda p: namespace_checks.keys(p.sample, p.state.live, p.n_beyond),
    "life": lambda p: namespace_checks.life(p.lives_ms, p.state.live, p.now, p.every_s),
    "age": lambda p: namespace_checks.age(p.state.live, p.now, p.every_s, p.max_age_s),
    "way back": lambda p: namespace_checks.way_back(p.way_back, p.now),
    "staging": lambda p: namespace_checks.staging(p.state, p.orphans),
    "pin": lambda p: namespace_checks.pin(p.state),
    "events": lambda p: events(p.stream, p.now),
}


def examine(
    client: Redis,
    namespace: str,
    every_s: float,
    max_age_s: float | None = None,
    names: Collection[str] = CHECKS,
) -> dict[str, Finding]:
    """Return a finding for each of `CHECKS`, in their order; a night is due every `every_s`.

    A generation older than `max_age_s` fails: 1.25 nights unless given. With `names` only those
    checks are made.
    """
    facts = Facts(client, namespace, every_s, max_age_s)
    findings: dict[str, Finding] = {}
    for name, check in ((name, CHECKS[name]) for name in CHECKS if name in names):
        try:
            findings[name] = check(facts)
        except (CorruptValue, ValueError) as error:
            remedy = "find what else writes under this namespace, and publish a new night"
            findings[name] = Finding("fail", f"holds what cannot be read: {error}", remedy)
        except ResponseError as error:
            findings[name] = _refused(error)
        except (RedisError, OSError) as error:
            findings[name] = _lost(error, deadline_s(client))
            unasked = Finding("unknown", "not asked: the server does not answer")
            return {**findings, **{each: unasked for each in names if each not in findings}}
    return findings


def _refused(error: ResponseError) -> Finding:
    text = str(error)
    if isinstance(error, NoPermissionError) or text.startswith("unknown "):
        return Finding("unknown", text, "ask again as operator (deploy/users.acl)")
    found, remedy = failure(error)
    remedy = remedy or "find what else writes under this namespace"
    return Finding("fail", f"Redis refuses the question: {found}", remedy)


def _lost(error: Exception, timeout_s: float) -> Finding:
    found, remedy = failure(error, timeout_s)
    node = "".join(f" of {each}" for each in getattr(error, "__notes__", ()))  # of a cluster
    return Finding("fail", f"no answer{node}: {found}", remedy or "see the server's log")
