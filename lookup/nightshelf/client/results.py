"""Results of reads: lists with their source, the status and the counters of a client."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from nightshelf.contract.experiment import Assignment
from nightshelf.contract.values import Canary, Manifest, Reason


class Item(NamedTuple):
    """One recommendation; scores compare within a list only, `reason` is the contract's.

    `metadata` is the item's feature row, where asked for and present.
    """

    item_id: str
    score: float
    reason: Reason
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Result:
    """A page of a list, best first, with its source.

    `source` is ``list`` (the user's own), ``similar``, ``popular:<segment>`` (a fallback, unless
    asked for), ``popular:favorites`` (the blend of the user's favourite categories), ``last-good``
    (Redis or its generation is gone: the popular list that this process read last) or ``none`` (no
    items). `model` is `None` for lists without a model; `age_s` counts from publication, and is
    `None` for a generation that is no longer live. `cached`: Redis was not asked, or did not reply.
    `cursor` asks for the next page; `None` at the end.

    `assignment` is the user's in an experiment, if any; `model` is the one served, which may be
    another than its own.
    """

    items: tuple[Item, ...]
    source: str
    generation: int | None = None
    model: str | None = None
    age_s: float | None = None
    cached: bool = False
    cursor: str | None = None
    assignment: Assignment | None = None

    @property
    def experiment(self) -> str | None:
        """Experiment that the user is in."""
        return self.assignment.experiment if self.assignment else None

    @property
    def variant(self) -> str | None:
        """Variant of the user in the experiment."""
        return self.assignment.variant if self.assignment else None

    @property
    def phase(self) -> int | None:
        """Phase of the experiment, from 1."""
        return self.assignment.phase if self.assignment else None

    @property
    def forced(self) -> bool:
        """True where a tester chose the variant: `Shelf.shown` then leaves the experiment out."""
        return self.assignment is not None and self.assignment.forced


@dataclass(frozen=True)
class Status:
    """State of a namespace: `live` is `None` where nothing is, `error` describes a failure.

    `pinned` is the generation that is held live, `canary` the one of a share of the users
    (`live.canary`); `n_blocked` counts blocked items. `age_s` counts from publication, `made_age_s`
    from the writing of the keys (a rollback changes neither), by the server's clock where the login
    may read it.
    """

    reachable: bool
    live: Manifest | None = None
    age_s: float | None = None
    made_age_s: float | None = None
    states: Mapping[int, str] = field(default_factory=dict)
    server: str | None = None
    pinned: int | None = None
    canary: Manifest | None = None
    n_blocked: int = 0
    error: str | None = None


def as_live(live: Manifest, canary: Canary) -> Manifest:
    """Return the manifest that a canary's users read in place of the live one."""
    return replace(
        live,
        generation=canary.generation,
        default_model=canary.default_model,
        published_at=canary.since,
    )


def source_kind(source: str) -> str:
    """Return the label that counts a source; thousands of segments share one.

    >>> source_kind("popular:segment:gold"), source_kind("popular:all"), source_kind("list")
    ('popular:segment', 'popular:all', 'list')
    """
    return ":".join(source.split(":", 2)[:2])


@dataclass(frozen=True)
class Counters:
    """Counts since a client was opened.

    `causes` counts failures by cause (`nightshelf.client.core.failures`), `sources` results by kind
    of source. `hits`, `misses` and `stale` are of the cache in the process, `entries` and `n_bytes`
    its size now; `redis_hits` and `redis_misses` are of lists and rows read from Redis.
    `generation` and its `age_s` are of the pointer as last read. `unknown_actions` are of types
    that the live generation does not define, `models_left_out` models that its experiments need and
    that its night could not publish. `coverage` and `diversity` are its night's (0 to 1),
    `keys_expire_s` the seconds until its first key can expire.
    """

    causes: Mapping[str, int]
    sources: Mapping[str, int]
    hits: int
    misses: int
    stale: int
    entries: int
    n_bytes: int
    redis_hits: int
    redis_misses: int
    breaker_open: bool
    generation: int | None
    age_s: float | None
    unknown_actions: int = 0
    models_left_out: int | None = None
    coverage: float | None = None
    diversity: float | None = None
    keys_expire_s: float | None = None
