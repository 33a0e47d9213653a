"""The history of a namespace's experiments, as Parquet beside its runs.

::

    runs/<namespace>/experiments/
        definitions.parquet   grain: definition as it was from `since` on
        phases.parquet        grain: variant of a phase; `ended` is null while it is open
        allocations.parquet   grain: variant of an experiment in a generation: its share and model

Each file is written whole, or not at all. Buckets are JSON, as the manifest has them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.experiments.definition import Definition
from tasks.experiments.history_rows import (
    ALLOCATIONS,
    DEFINITIONS,
    PHASES,
    Phase,
    Row,
    definition_row,
    phase_number,
    phase_rows,
    read_phase,
)
from tasks.io.parquet import write_table


class History:
    """The files of a namespace's history; each is read whole, as a night adds a few rows."""

    def __init__(self, root: Path, namespace: str) -> None:
        self.folder = root / namespace / "experiments"

    @property
    def exists(self) -> bool:
        """True once a night has written a phase."""
        return (self.folder / "phases.parquet").exists()

    def phases(self) -> list[Phase]:
        """Return all phases, by experiment and number."""
        rows = self._rows("phases", PHASES)
        return [read_phase(list(own)) for _, own in groupby(rows, key=phase_number)]

    def allocations(self) -> list[Row]:
        """Return the allocations of all generations, in order."""
        return self._rows("allocations", ALLOCATIONS)

    def definitions(self) -> list[Row]:
        """Return the definitions that nights have met, each from `since` on, in order."""
        return self._rows("definitions", DEFINITIONS)

    def write_definitions(self, found: Iterable[Definition], as_of: datetime) -> None:
        """Add the definitions that differ from the last of their experiment."""
        rows = self.definitions()
        last = {row["experiment"]: row["digest"] for row in rows}
        rows += [
            definition_row(each, as_of) for each in found if last.get(each.id) != each.digest()
        ]
        self._write("definitions", DEFINITIONS, rows)

    def write_phases(self, phases: Sequence[Phase]) -> None:
        """Replace the phases."""
        ordered = sorted(phases, key=lambda each: (each.experiment, each.number))
        self._write("phases", PHASES, [row for each in ordered for row in phase_rows(each)])

    def write_allocations(self, rows: Sequence[Row]) -> None:
        """Add a generation's allocations; those of the same generation are replaced."""
        new = {(row["experiment"], row["generation"]) for row in rows}
        kept = [r for r in self.allocations() if (r["experiment"], r["generation"]) not in new]
        self._write("allocations", ALLOCATIONS, [*kept, *rows])

    def _rows(self, name: str, schema: pa.Schema) -> list[Row]:
        path = self.folder / f"{name}.parquet"
        if not path.exists():
            return []
        rows: list[Row] = pq.read_table(path, schema=schema, partitioning=None).to_pylist()
        return rows

    def _write(self, name: str, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.parquet"
        write_table(path, pa.Table.from_pylist([dict(row) for row in rows], schema))
