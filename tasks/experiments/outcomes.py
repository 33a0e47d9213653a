"""Outcomes of an experiment's exposures, from the log of a night."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.experiments.bandit import Outcomes
from tasks.experiments.definition import Definition
from tasks.io.duckdb_session import connect, one_file, query

#: Columns of the collected log that say who was shown what.
_EXPOSED = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_type", pa.string()),
        ("ts", pa.timestamp("us", "UTC")),
        ("experiment", pa.string()),
        ("variant", pa.string()),
        ("phase", pa.int32()),
    ]
)


def with_exposures(files: Iterable[Path]) -> list[Path]:
    """Return the files of a log that name experiments, as the collector writes them."""
    return [file for file in files if set(pq.read_schema(file).names) >= set(_EXPOSED.names)]


def read_outcomes(
    found: Sequence[Definition],
    exposures: Sequence[Path],
    events: Path,
    as_of: datetime,
    roles: Mapping[str, Sequence[str]],
    scratch: Path,
) -> dict[str, Outcomes]:
    """Return each experiment's outcomes by period and variant, as known at `as_of`.

    `exposures` are files of the collected log, `events` is the clean log. `roles` gives the event
    types that count as "purchase"; any other type is itself.
    """
    with connect(scratch) as db:
        if exposures:
            files = list(map(one_file, exposures))
            collected = db.read_parquet(files, union_by_name=True, hive_partitioning=False)
        else:
            collected = db.from_arrow(_EXPOSED.empty_table())
        collected.create_view("collected")
        db.read_parquet(one_file(events)).create_view("outcomes")
        return {each.id: _outcomes(db, each, as_of, roles) for each in found}


def _outcomes(
    db: duckdb.DuckDBPyConnection,
    each: Definition,
    as_of: datetime,
    roles: Mapping[str, Sequence[str]],
) -> Outcomes:
    """Count one experiment's users; those of variants that it no longer has are left out."""
    named = each.primary.event or each.primary.name
    asked = {
        "experiment": each.id,
        "as_of": as_of.replace(tzinfo=None),
        "window": timedelta(hours=each.attribution_window_h),
        "event_types": list(roles.get(named, (named,))),
    }
    rows = db.execute(query("experiments/outcomes"), asked).fetchall()
    columns = {variant.name: at for at, variant in enumerate(each.variants)}
    phases = {phase: at for at, phase in enumerate(sorted({row[0] for row in rows}))}
    users, converted = (np.zeros((len(phases), len(columns)), np.int64) for _ in range(2))
    for phase, variant, n_users, n_converted in rows:
        if variant in columns:
            users[phases[phase], columns[variant]] = n_users
            converted[phases[phase], columns[variant]] = n_converted
    return Outcomes(users, converted)
