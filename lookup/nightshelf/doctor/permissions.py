"""Commands that each role needs (`deploy/users.acl`), and a login's rights to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from nightshelf.contract.keys import Keys
from nightshelf.doctor.finding import Finding

#: Commands that no login should be able to run: they wipe, reopen or block the server.
EXCESSIVE = ("FLUSHALL", "CONFIG GET maxmemory", "KEYS *")
_LOCK_DOWN = "give each role a login of its own, with deploy/users.acl"


@dataclass(frozen=True)
class Login:
    """The login's name and the commands that it may run; `None` if it may not ask."""

    name: str
    may: Mapping[str, bool] | None


def needed(keys: Keys) -> dict[str, tuple[str, ...]]:
    """Return the commands that each role runs beyond the role before, with sample keys."""
    key, fence, generations = keys.popular(1, "all"), keys.fence, keys.generations
    blocked, events = keys.blocked, keys.events
    return {
        "read": (
            "PING",
            "TIME",
            f"GET {keys.current}",
            f"MGET {key}",
            f"EXISTS {key}",
            f"HGET {generations} 1",
            f"HVALS {generations}",
            f"HGETALL {generations}",
            f"SMEMBERS {blocked}",
            f"SCARD {blocked}",
            f"ZRANGE {keys.masked('user')} 0 -1",
            f"ZRANGE {keys.recent('user')} 0 -1 WITHSCORES",
            f"HGETALL {keys.recent_item('item')}",
            f"SUBSCRIBE {keys.invalidate}",
        ),
        "publish": (
            "INFO",
            "SCAN 0",
            f"EVAL return 1 {fence}",
            f"SET {key} value EX 60",
            f"EXPIRE {key} 60 GT",
            f"UNLINK {key}",
            f"HSET {fence} allotted 1",
            f"HDEL {fence} pinned",
            f"PUBLISH {keys.invalidate} masks",
        ),
        "operate": (
            f"SADD {blocked} item",
            f"SREM {blocked} item",
            f"XRANGE {events} - +",
            f"XDEL {events} 0-1",
            f"ZSCORE {keys.refresh_queue} user",
            f"XADD {keys.audit} * who x",
            f"XREVRANGE {keys.audit} + -",
            f"PTTL {key}",
            f"MEMORY USAGE {key}",
        ),
    }


def rights(login: Login, keys: Keys) -> Finding:
    """Judge a login: it shall have all of some roles and nothing that is none's."""
    if login.may is None:
        found = f"login {login.name}; what it may run it may not ask (ACL DRYRUN)"
        return Finding("unknown", found, "ask again as operator (deploy/users.acl)")
    lacks = {
        role: [_verb(command) for command in commands if not login.may[command]]
        for role, commands in needed(keys).items()
    }
    whole = [role for role, missing in lacks.items() if not missing]
    if "read" not in whole:
        found = f"login {login.name} may not even read: it lacks {', '.join(lacks['read'])}"
        return Finding("fail", found, f"{_LOCK_DOWN}, with this namespace in its key patterns")
    found = f"login {login.name} may {', '.join(whole)}"
    excess = [_verb(command) for command in EXCESSIVE if login.may[command]]
    if excess:
        return Finding("warn", f"{found}, and also {', '.join(excess)}", _LOCK_DOWN)
    for role, commands in needed(keys).items():
        if 0 < len(lacks[role]) < len(commands):
            half = f"{found}; to {role} it lacks {', '.join(lacks[role])}"
            return Finding("warn", half, f"add what it lacks, or {_LOCK_DOWN}")
    return Finding("ok", found)


def _verb(command: str) -> str:
    """Return a command's name without what it is run on."""
    words = command.split()
    return " ".join(words[:2]) if words[0] in ("CONFIG", "MEMORY") else words[0]
