"""What is wrong with a namespace and its server, and what to do about it.

Each check is a pure judgement (`doctor_server`, `doctor_rights`, `doctor_shelf`, `doctor_events`)
of what was read (`doctor_reading`, `doctor_sample`). Nothing is written, and a big server is asked
for seconds at most: keys are sampled. A server that refuses a question, or dies in mid-check, is a
finding and not an error.
"""

from collections.abc import Callable, Mapping

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from nightshelf import doctor_server, doctor_shelf
from nightshelf.connection import deadline_s
from nightshelf.contract import Keys
from nightshelf.doctor_events import events
from nightshelf.doctor_finding import Finding
from nightshelf.doctor_reading import Patient
from nightshelf.doctor_rights import rights
from nightshelf.errors import CorruptValue
from nightshelf.failures import failure

CHECKS: Mapping[str, Callable[[Patient], Finding]] = {
    "connection": lambda p: doctor_server.connection(p.round_trips_s),
    "server": lambda p: doctor_server.server(p.info),
    "replication": lambda p: doctor_server.replication(p.info),
    "rights": lambda p: rights(p.login, Keys(p.namespace)),
    "clock": lambda p: doctor_server.clock(p.clock_offset_s),
    "memory": lambda p: doctor_server.memory(p.info),
    "room": lambda p: doctor_server.room(p.info, p.world.live, p.key_bytes),
    "persistence": lambda p: doctor_server.persistence(p.info, p.now.timestamp()),
    "pointer": lambda p: doctor_shelf.pointer(p.pointer),
    "keys": lambda p: doctor_shelf.keys(p.sample, p.world.live, p.n_beyond),
    "life": lambda p: doctor_shelf.life(p.lives_ms, p.world.live, p.now, p.every_s),
    "age": lambda p: doctor_shelf.age(p.world.live, p.now, p.every_s, p.max_age_s),
    "way back": lambda p: doctor_shelf.way_back(p.way_back, p.now),
    "staging": lambda p: doctor_shelf.staging(p.world, p.orphans),
    "pin": lambda p: doctor_shelf.pin(p.world),
    "events": lambda p: events(p.stream, p.now),
}


def examine(
    client: Redis, namespace: str, every_s: float, max_age_s: float | None = None
) -> dict[str, Finding]:
    """Return a finding for each of `CHECKS`, in their order; a night is due every `every_s`.

    A generation older than `max_age_s` fails: 1.25 nights unless given.
    """
    patient = Patient(client, namespace, every_s, max_age_s)
    findings: dict[str, Finding] = {}
    for name, check in CHECKS.items():
        try:
            findings[name] = check(patient)
        except (CorruptValue, ValueError) as error:
            remedy = "find what else writes under this namespace, and publish a new night"
            findings[name] = Finding("fail", f"holds what cannot be read: {error}", remedy)
        except ResponseError as error:
            findings[name] = _refused(error)
        except (RedisError, OSError) as error:
            findings[name] = _lost(error, deadline_s(client))
            unasked = Finding("unknown", "not asked: the server does not answer")
            return {**findings, **{each: unasked for each in CHECKS if each not in findings}}
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
    return Finding("fail", f"no answer: {found}", remedy or "see the server's log")
