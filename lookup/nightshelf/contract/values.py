"""Values of the contract: lists, manifests and feature rows (`nightshelf.contract`)."""

import json
import math
import operator
from collections.abc import Callable, Sequence, Set
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from nightshelf.contract.chosen_blend import ChosenBlend
from nightshelf.contract.experiment import Experiment
from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.keys import DEFAULT_TTL_S, TTL_JITTER, VERSION
from nightshelf.errors import CorruptValue

#: A third of the time, where the app has it (the extra ``fast``); what it refuses is not ours.
try:
    import orjson

    loads: Callable[[bytes | str], Any] = orjson.loads
except ModuleNotFoundError:
    loads = json.loads

#: A code and what it needs; the codes stand in `nightshelf.contract`.
Reason = tuple[str, ...]


@dataclass(frozen=True)
class RankedList:
    """A list as it is stored: items, scores and reasons of equal length, best first."""

    items: tuple[str, ...]
    scores: tuple[float, ...]
    reasons: tuple[Reason, ...]

    def to_json(self) -> bytes:
        """Encode as the contract's compact JSON; scores keep 6 significant digits."""
        distinct = list(dict.fromkeys(self.reasons))
        position = {reason: at for at, reason in enumerate(distinct)}
        return _compact(
            {
                "items": self.items,
                "scores": [float(f"{score:.6g}") for score in self.scores],
                "reasons": distinct,
                "why": [position[reason] for reason in self.reasons],
            }
        )

    def without(self, blocked: Set[str]) -> "RankedList":
        """Return the list without blocked items, which no reason names any longer either."""
        kept = [at for at, item in enumerate(self.items) if item not in blocked]
        return RankedList(
            tuple(self.items[at] for at in kept),
            tuple(self.scores[at] for at in kept),
            tuple(_reason_without(self.reasons[at], blocked) for at in kept),
        )

    @classmethod
    def from_json(cls, value: bytes) -> "RankedList":
        """Decode; `CorruptValue` where the value is not a list of this contract."""
        try:
            raw = json.loads(value)
            reasons = [tuple(map(_text, reason)) for reason in raw["reasons"]]
            decoded = cls(
                tuple(map(_text, raw["items"])),
                tuple(map(_finite, raw["scores"])),
                tuple(reasons[at] for at in raw["why"]),
            )
        except _UNREADABLE as error:
            raise CorruptValue(f"not a list of contract {VERSION}: {value[:80]!r}") from error
        if not len(decoded.items) == len(decoded.scores) == len(decoded.reasons):
            raise CorruptValue(f"items, scores and reasons differ in number: {value[:80]!r}")
        return decoded


@dataclass(frozen=True)
class Canary:
    """A staged generation that `share` percent of the users are served, since when (ISO 8601)."""

    generation: int
    share: float
    default_model: str
    since: str

    @classmethod
    def from_raw(cls, raw: dict[str, Any]) -> "Canary":
        """Take from decoded JSON, passing over later fields; raises as `_UNREADABLE` lists."""
        return cls(
            operator.index(raw["generation"]),
            _finite(raw["share"]),
            _text(raw["default_model"]),
            _text(raw["since"]),
        )


@dataclass(frozen=True)
class Manifest:
    """Manifest of a generation: the value of ``current`` and of each field of ``generations``.

    `state` is one of staged, live, previous (live until the last night), replaced (live once), bad
    (never to go live), retired (its keys were deleted). Times are ISO 8601 in UTC. `counts` gives
    keys a family. `digest` is BLAKE3 over every key's tail and value (`tasks/publish/keyspace.py`),
    so equal inputs and settings give equal digests. `metrics` are the figures that the next night's
    gates compare with; `gates` gives pass, warn or block by gate. `inputs` (relation -> SHA-256 of
    its files), `config_hash` and `model_hash` say what it was made from. Its keys have lived their
    TTL since `extended_at`, else since `staged_at`; from `retired_at` on they are deleted. `canary`
    stands in the live one's alone. `counting` is how it counted events, `choice` the blend that its
    lists are of (`None` where no model is a blend). `experiments` are the namespace's: of the live
    one they count alone, and they move along with the pointer (`nightshelf.admin.experiments`).
    """

    generation: int
    as_of: str
    state: str = "staged"
    staged_at: str = ""
    published_at: str = ""
    extended_at: str = ""
    retired_at: str = ""
    models: Sequence[str] = ("als",)
    default_model: str = "als"
    list_length: int = 50
    ttl_s: int = DEFAULT_TTL_S
    counts: dict[str, int] = field(default_factory=dict)
    n_bytes: int = 0
    digest: str = ""
    config_hash: str = ""
    model_hash: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    contract: int = VERSION
    metrics: dict[str, float] = field(default_factory=dict)
    gates: dict[str, str] = field(default_factory=dict)
    canary: Canary | None = None
    counting: Counting | None = None
    choice: ChosenBlend | None = None
    experiments: tuple[Experiment, ...] = ()

    @property
    def half(self) -> bool:
        """True while its keys are being written, and after its publisher died in between."""
        return self.state == "staged" and not self.digest

    @property
    def whole_until(self) -> datetime | None:
        """When the first key can expire; `None` if that is unknown or keys were deleted."""
        since = instant(self.extended_at or self.staged_at)
        if since is None or self.retired_at:
            return None
        return since + timedelta(seconds=self.ttl_s * (1 - TTL_JITTER))

    def to_json(self) -> bytes:
        """Encode as compact JSON."""
        return _compact(asdict(self))

    @classmethod
    def from_json(cls, value: bytes | str) -> "Manifest":
        """Decode, passing over fields that a later version may have added."""
        known = {item.name for item in fields(cls)}
        try:
            raw: dict[str, Any] = json.loads(value)
            manifest = cls(**{name: raw[name] for name in raw if name in known})
            return replace(
                manifest,
                generation=operator.index(manifest.generation),
                models=tuple(map(_text, manifest.models)),
                default_model=_text(manifest.default_model),
                state=_state(_text(manifest.state), manifest.retired_at),
                canary=Canary.from_raw(raw["canary"]) if raw.get("canary") else None,
                counting=Counting.from_raw(raw["counting"]) if raw.get("counting") else None,
                choice=ChosenBlend.from_raw(raw["choice"]) if raw.get("choice") else None,
                experiments=tuple(map(Experiment.from_raw, raw.get("experiments") or ())),
            )
        except _UNREADABLE as error:
            raise CorruptValue(f"not a manifest: {value[:80]!r}") from error


def _state(written: str, retired_at: str) -> str:
    """Return a state by its present name: `replaced` was once called `retired` too."""
    return "replaced" if written == "retired" and not retired_at else written


def instant(text: str) -> datetime | None:
    """Return the time that an ISO 8601 text with an offset gives; `None` where it gives none.

    >>> instant("2026-03-01T04:05:06+00:00")
    datetime.datetime(2026, 3, 1, 4, 5, 6, tzinfo=datetime.timezone.utc)
    """
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else None


#: What a value that is not ours can make of decoding: the last is JSON nested without end.
_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)


def _reason_without(reason: Reason, blocked: Set[str]) -> Reason:
    names_an_item = reason[:1] in (("because",), ("similar",))
    return ("taste",) if names_an_item and not blocked.isdisjoint(reason[1:]) else reason


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {value!r}")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, not {value!r}")
    return float(value)


def _compact(value: object) -> bytes:
    # NaN and infinity are no JSON: other languages could not read the list.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def row(value: bytes | str) -> dict[str, Any]:
    """Decode a feature row; `CorruptValue` where the value is none."""
    try:
        decoded = loads(value)
    except (ValueError, RecursionError) as error:
        raise CorruptValue(f"not a feature row: {value[:80]!r}") from error
    if not isinstance(decoded, dict):
        raise CorruptValue(f"not a feature row: {value[:80]!r}")
    return decoded


def members(reply: Any) -> frozenset[str]:
    """Return the members of a set or sorted set; none where there is no such key."""
    # A member that is no UTF-8 is no item's id, and masks none.
    return frozenset(
        each if isinstance(each, str) else each.decode(errors="replace") for each in reply or ()
    )
