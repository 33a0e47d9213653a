"""The measured night that is extrapolated, step by step.

Seconds and memory are of the large log (1,000,000 users x 100,000 items, 50 million events, two
cores): `python -m benchmarks.scale --full`. Exponents of seconds in users, items and events are of
`python -m benchmarks.scale --share 0.04`, with the graph's links in the blend; one below 0 is
noise, and counts as 0. The choice takes a sample, and has none.
"""

from dataclasses import dataclass
from typing import Literal

from benchmarks._log import LogSize

LARGE = LogSize(users=1_000_000, items=100_000, events=50_000_000)
#: Memory of that process before the first step: libraries, and code that it has compiled.
LIBRARIES_GB = 0.6

#: What a step's work follows from where it grows in proportion.
Driver = Literal["users", "items", "events", "users x items", "nothing"]


@dataclass(frozen=True)
class Step:
    """A step of the measured night: seconds, peak memory, exponents and drivers.

    `memory` grows in proportion to the larger of these; to none where DuckDB spills beyond its
    bound, or the step takes a sample.
    """

    seconds: float
    gb: float
    users: float
    items: float
    events: float
    driver: Driver
    memory: tuple[str, ...] = ()


_OF_LOG = ("users", "events")
NIGHT: dict[str, Step] = {
    "check_inputs": Step(4, 0.6, 0, 0.13, 0.79, "events"),
    "clean_events": Step(63, 8.4, 0.10, 0.06, 0.89, "events"),
    "choose_blend": Step(41, 2.0, 0, 0, 0, "nothing"),
    "build_features": Step(37, 4.6, 0.18, 0.06, 0.75, "events", _OF_LOG),
    "train_blend": Step(59, 4.7, 0.06, 0, 0.38, "events", _OF_LOG),
    "top_n": Step(51, 4.9, 0.99, 0.20, 0.71, "users x items", _OF_LOG),
    "popular_lists": Step(14, 1.7, 0.13, 0.17, 0.72, "events"),
    "similar_items": Step(9, 1.8, 0, 1.05, 0.59, "items", ("users", "items")),
    "stage": Step(12, 1.5, 0.96, 0.21, 0.08, "users", ("users",)),
    "read_back": Step(6, 1.4, 0.40, 0.07, 0.03, "users", ("users",)),
    "measure": Step(15, 2.8, 0.94, 0.16, 0.29, "users", ("users",)),
    "write_report": Step(3, 1.5, 0.16, 0.04, 0.19, "nothing"),
}
