"""Audit of changes that people make: a stream in Redis, and the console's file beside the runs.

The console and the command line write the stream (`nightshelf.contract`). The console's lines also
go to the file, which keeps what the stream has trimmed, and stays where Redis comes back empty.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from nightshelf.admin.namespace_state import server_time
from nightshelf.contract.keys import Keys

#: Entries that the stream keeps, about.
KEPT = 10_000
#: The file beside a namespace's runs.
FILE = "audit.jsonl"


@dataclass(frozen=True)
class AuditLine:
    """A change: when (ISO 8601, UTC), by whom (`nightshelf.contract`), of a generation or item."""

    at: str
    who: str
    action: str
    what: str
    outcome: str


def record(
    client: Redis,
    namespace: str,
    *,
    who: str,
    action: str,
    what: str,
    outcome: str,
    runs: Path | None = None,
) -> tuple[str, ...]:
    """Write the line of a change that was made or refused; return what could not be written.

    `runs` is the folder of the namespace's runs, if there is one. Nothing is raised, as the change
    is made already: the caller shows what is returned, which is empty where all is written.
    """
    line = AuditLine(_now(client), who, action, what, outcome)
    failed = []
    try:
        key = Keys(namespace).audit
        client.xadd(key, asdict(line), maxlen=KEPT, approximate=True)  # type: ignore[arg-type]
    except (RedisError, OSError) as error:
        failed.append(f"the stream {key}: {error}")
    if runs is not None:
        try:
            runs.mkdir(parents=True, exist_ok=True)
            with (runs / FILE).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")
        except OSError as error:
            failed.append(f"{runs / FILE}: {error.strerror}")
    return tuple(failed)


def lines(client: Redis, namespace: str, n: int) -> list[AuditLine]:
    """Return the newest lines of the stream, at most `n`, the newest first."""
    entries: Any = client.xrevrange(Keys(namespace).audit, count=n)
    return list(_decoded(entries))


def _decoded(entries: Any) -> Iterator[AuditLine]:
    for _, raw in entries:
        named = {_text(name): _text(value) for name, value in raw.items()}
        yield AuditLine(*(named.get(name, "") for name in AuditLine.__dataclass_fields__))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")


def _now(client: Redis) -> str:
    """Return the time by the server's clock, as of all that operators write, or else by ours."""
    try:
        now = server_time(client)
    except (RedisError, OSError):
        now = datetime.now(UTC)
    return now.isoformat(timespec="seconds")
