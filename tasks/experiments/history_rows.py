"""Rows of the history of experiments: their schemas, and phases as rows."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import pyarrow as pa

from nightshelf.contract.assignment import N_BUCKETS
from nightshelf.contract.experiment import Experiment, Range, Variant
from tasks.experiments.definition import Definition
from tasks.experiments.phases import size

Row = dict[str, Any]

_TIME = pa.timestamp("us", "UTC")
DEFINITIONS = pa.schema(
    [
        ("experiment", pa.string()),
        ("since", _TIME),
        ("digest", pa.string()),
        ("status", pa.string()),
        ("hypothesis", pa.string()),
        ("definition", pa.string()),
    ]
)
PHASES = pa.schema(
    [
        ("experiment", pa.string()),
        ("phase", pa.int32()),
        ("began", _TIME),
        ("ended", _TIME),
        ("traffic", pa.string()),
        ("variant", pa.string()),
        ("control", pa.bool_()),
        ("model", pa.string()),
        ("share", pa.float64()),
        ("buckets", pa.string()),
    ]
)
ALLOCATIONS = pa.schema(
    [
        ("experiment", pa.string()),
        ("generation", pa.int64()),
        ("as_of", _TIME),
        ("phase", pa.int32()),
        ("variant", pa.string()),
        ("share", pa.float64()),
        ("model", pa.string()),
        ("served", pa.string()),
        ("users", pa.int64()),
        ("converted", pa.int64()),
        ("best", pa.float64()),
        ("why", pa.string()),
    ]
)


@dataclass(frozen=True)
class Phase:
    """A phase: users keep their variant throughout it; `ended` is `None` while it is open."""

    experiment: str
    number: int
    began: datetime
    ended: datetime | None
    traffic: tuple[Range, ...]
    variants: tuple[Variant, ...]

    @classmethod
    def of(cls, published: Experiment, began: datetime) -> Self:
        """Return the phase that is published, from an instant on."""
        found = published.traffic, published.variants
        return cls(published.id, published.phase, began, None, *found)

    @property
    def ranges(self) -> dict[str, tuple[Range, ...]]:
        """Buckets of the variants, by name."""
        return {each.name: each.buckets for each in self.variants}

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the variants, by name, adding up to 1."""
        return {name: size(buckets) / N_BUCKETS for name, buckets in self.ranges.items()}


def phase_number(row: Row) -> tuple[str, int]:
    """Return the experiment and the phase of a row."""
    return row["experiment"], row["phase"]


def definition_row(each: Definition, as_of: datetime) -> Row:
    """Return a definition as a row."""
    return {
        "experiment": each.id,
        "since": as_of,
        "digest": each.digest(),
        "status": each.status,
        "hypothesis": each.hypothesis,
        "definition": each.to_json(),
    }


def phase_rows(phase: Phase) -> Iterable[Row]:
    """Yield a row for each variant of a phase."""
    for at, variant in enumerate(phase.variants):
        yield {
            "experiment": phase.experiment,
            "phase": phase.number,
            "began": phase.began,
            "ended": phase.ended,
            "traffic": json.dumps(phase.traffic),
            "variant": variant.name,
            "control": at == 0,
            "model": variant.model,
            "share": phase.shares[variant.name],
            "buckets": json.dumps(variant.buckets),
        }


def read_phase(rows: Sequence[Row]) -> Phase:
    """Return the phase that its rows are of."""
    first = rows[0]
    variants = (Variant(row["variant"], row["model"], _ranges(row["buckets"])) for row in rows)
    return Phase(
        experiment=first["experiment"],
        number=first["phase"],
        began=first["began"],
        ended=first["ended"],
        traffic=_ranges(first["traffic"]),
        variants=tuple(variants),
    )


def _ranges(text: str) -> tuple[Range, ...]:
    return tuple((int(lo), int(hi)) for lo, hi in json.loads(text))
