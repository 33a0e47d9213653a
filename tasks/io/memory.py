"""Memory that a process may take for a log: what the settings say, or a share of the machine's."""

import os
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

#: DuckDB's own bound, 80 % of memory, leaves too little for the rest of the night and Redis.
_MAX_BYTES = 8 * 10**9
#: The bound of a container, by either version of cgroups (source: cgroups(7)).
_CONTAINER = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
#: Processes that share the memory, this one among them.
n_processes = ContextVar("n_processes", default=1)
_given: ContextVar[float | None] = ContextVar("memory_gb", default=None)


@dataclass(frozen=True)
class MachineSettings:
    """Resources of the machine for a night, whose results are the same with any of them.

    - `memory_gb`: memory in GB for the log itself, beyond which DuckDB spills into the run's folder
      and features are built from one shard of the users after another. Libraries (0.6 GB), and the
      matrices, factors and lists come on top. By default half of what the machine or the container
      has, and at most 8.
    """

    memory_gb: Annotated[float, Field(ge=0.25)] | None = None


def limit_memory(settings: MachineSettings) -> None:
    """Hold the steps that this process runs to the memory of the settings."""
    _given.set(settings.memory_gb)


def given_memory() -> float | None:
    """Return the GB that this process was held to; `None` if no settings did."""
    return _given.get()


def memory_bytes() -> int:
    """Return the bytes that this process may take for a log."""
    given = _given.get()
    return int(_default() if given is None else given * 10**9) // n_processes.get()


def _default() -> int:
    """Return half of the memory of the machine, or of the container if less; `_MAX_BYTES` at most.

    A container without a bound has `max` in its file, or more bytes than the machine.
    """
    bounds = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in _CONTAINER:
        text = path.read_text().strip() if path.exists() else ""
        bounds += [int(text)] if text.isdecimal() else []
    return min(_MAX_BYTES, min(bounds) // 2)
