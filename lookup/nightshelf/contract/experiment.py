"""Experiments as they are published: which users are in them, and the model of each."""

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from nightshelf.contract.assignment import N_BUCKETS, bucket
from nightshelf.contract.keys import encode_id

RUNNING = "running"
STOPPED = "stopped"

#: Buckets from the first number up to, and without, the second.
Range = tuple[int, int]


@dataclass(frozen=True)
class Variant:
    """One arm of an experiment: the model that users in `buckets` are served."""

    name: str
    model: str
    buckets: tuple[Range, ...] = ()


@dataclass(frozen=True)
class Assignment:
    """The variant of a user and its model; `forced` on a tester, who counts in no experiment."""

    experiment: str
    phase: int
    variant: str
    model: str
    forced: bool = False


@dataclass(frozen=True)
class Experiment:
    """One phase of an experiment; the first of `variants` is the control.

    - `traffic`: buckets under the salt ``<id>:traffic`` whose users are in it.
    - `variants`: each with its buckets under the salt ``<id>:variant``; of several that hold a
      bucket the first counts, and a bucket that none holds is the control's.
    - `phase`: from 1; traffic and buckets stay as they are throughout a phase.
    - `start`, `end`: ISO 8601 with an offset; it runs from `start` on and before `end`. Empty:
      without a limit.
    - `status`: it runs only while this is ``running``.
    """

    id: str
    phase: int
    traffic: tuple[Range, ...]
    variants: tuple[Variant, ...]
    start: str = ""
    end: str = ""
    status: str = RUNNING

    def runs_at(self, at: datetime) -> bool:
        """Tell whether it runs at a time, which has an offset."""
        begin, end = self._limits
        return self.status == RUNNING and begin <= at < end

    def includes(self, user: str) -> bool:
        """Tell whether a user is in the experiment's traffic."""
        return _holds(self.traffic, bucket(f"{self.id}:traffic", user))

    def variant_of(self, user: str) -> Variant:
        """Return the variant of a user, in the traffic or not."""
        return self.variants[self._place_of(user)]

    def variant_at(self, number: int) -> Variant:
        """Return the variant of a bucket."""
        return self.variants[self._place_at(number)]

    def assignment_of(self, user: str) -> Assignment:
        """Return the assignment of a user, in the traffic or not."""
        return self._assignments[self._place_of(user)]

    @classmethod
    def from_raw(cls, raw: dict[str, Any]) -> "Experiment":
        """Take from decoded JSON, passing over later fields.

        Raises `KeyError`, `TypeError` or `ValueError` where it is no experiment.
        """
        experiment = cls(
            id=_name(raw["id"]),
            phase=operator.index(raw["phase"]),
            traffic=_ranges(raw["traffic"]),
            variants=tuple(
                Variant(_name(each["name"]), _name(each["model"]), _ranges(each["buckets"]))
                for each in raw["variants"]
            ),
            start=_text(raw["start"]),
            end=_text(raw["end"]),
            status=_text(raw["status"]),
        )
        if not experiment.variants:
            raise ValueError(f"experiment {experiment.id!r} has no variants")
        _instant(experiment.start, _FIRST)
        _instant(experiment.end, _LAST)
        return experiment

    def _place_of(self, user: str) -> int:
        return self._place_at(bucket(f"{self.id}:variant", user))

    def _place_at(self, number: int) -> int:
        for place, variant in enumerate(self.variants):
            if _holds(variant.buckets, number):
                return place
        return 0

    @cached_property
    def _assignments(self) -> tuple[Assignment, ...]:
        """The assignment to each variant: a read makes none anew."""
        return tuple(
            Assignment(self.id, self.phase, each.name, each.model) for each in self.variants
        )

    @cached_property
    def _limits(self) -> tuple[datetime, datetime]:
        return _instant(self.start, _FIRST), _instant(self.end, _LAST)


def assigned(
    experiments: Iterable[Experiment], user: str, at: datetime, forced: str | None = None
) -> Assignment | None:
    """Return the assignment of a user at a time; `None` without one: the default model is served.

    It is of the first experiment, in their order, that runs then and has the user in its traffic.
    `forced` (``<experiment>:<variant>``) names another, in traffic and running or not; a name that
    is not there is passed over.

    >>> ease = Variant("ease", "ease", ((5000, 10000),))
    >>> test = Experiment("exp-1", 1, ((0, 10000),), (Variant("now", "als", ((0, 5000),)), ease))
    >>> [assigned([test], user, datetime.now(UTC)).variant for user in ("u1", "u2", "u3")]
    ['ease', 'now', 'ease']
    """
    if forced is not None and (found := _named(experiments, forced)):
        return found
    for each in experiments:
        if each.runs_at(at) and each.includes(user):
            return each.assignment_of(user)
    return None


def _named(experiments: Iterable[Experiment], forced: str) -> Assignment | None:
    for each in experiments:
        for variant in each.variants:
            if forced == f"{each.id}:{variant.name}":
                return Assignment(each.id, each.phase, variant.name, variant.model, forced=True)
    return None


_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def _instant(text: str, otherwise: datetime) -> datetime:
    time = datetime.fromisoformat(text) if text else otherwise
    if time.tzinfo is None:
        raise ValueError(f"expected a time with an offset, not {text!r}")
    return time


def _holds(ranges: Sequence[Range], number: int) -> bool:
    for first, end in ranges:  # noqa: SIM110 - a generator takes twice as long, on every read
        if first <= number < end:
            return True
    return False


def _ranges(raw: Sequence[Sequence[int]]) -> tuple[Range, ...]:
    ranges = tuple((operator.index(first), operator.index(end)) for first, end in raw)
    for first, end in ranges:
        if not 0 <= first <= end <= N_BUCKETS:
            raise ValueError(f"expected buckets within 0 to {N_BUCKETS}, not {first} to {end}")
    return ranges


def _name(value: object) -> str:
    """Return a name that a key and a cursor can hold."""
    name = _text(value)
    encode_id(name)
    return name


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {value!r}")
    return value
