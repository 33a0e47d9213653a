"""The gate step: a staged generation's figures and lists against the live one's."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from redis import Redis

from nightshelf.admin import generations
from nightshelf.admin.wholeness import whole
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList
from nightshelf.diff.overlap import jaccard, rank_biased_overlap
from tasks.artifacts.list_tables import read_lists
from tasks.artifacts.records import LIST_SCHEMA, Made
from tasks.evaluation.backtest import Quality
from tasks.evaluation.drift.compare import Drift
from tasks.evaluation.gates import Verdict, drift_figures, figures, judge
from tasks.evaluation.measure import Metrics
from tasks.evaluation.settings import GateSettings
from tasks.runs.journal import step
from tasks.runs.run_folder import Run

#: Users whose lists are compared: enough for a mean to two digits, few enough for one MGET.
_SAMPLE = 2_000
#: Places of a list that are compared.
_DEPTH = 50
#: Whose list it is, and what it shows.
_SHOWN = pa.schema([LIST_SCHEMA.field(name) for name in ("key", "item_ids")])


@step
def check_gates(
    run: Run,
    client: Redis,
    made: Made,
    metrics: Metrics,
    quality: Quality | None,
    drift: Drift,
    settings: GateSettings,
    choice: Mapping[str, float] | None = None,
    further: Mapping[str, float] | None = None,
) -> Verdict:
    """Judge the staged generation; its manifest and `gates.json` keep figures and outcomes.

    `choice` are the figures of the blend's choice, where candidates were judged; `further` those of
    the models beside the default, which were judged before.
    """
    live = generations.current(client, run.namespace)
    tonight = figures(made.log, made.features, metrics, quality, choice)
    overlap = overlap_with(live, run, client, made.own.path) if live else {}
    verdict = judge(tonight, live.metrics if live else {}, overlap, drift, settings)
    outcomes: dict[str, str] = {gate.name: gate.outcome for gate in verdict.gates}
    manifest = Manifest.from_json(run.path("manifest.json").read_bytes())
    measured = tonight | overlap | drift_figures(drift) | dict(further or {})
    manifest = replace(manifest, metrics=measured, gates=outcomes)
    generations.stage(client, run.namespace, manifest)
    run.path("manifest.json").write_bytes(manifest.to_json() + b"\n")
    run.path("gates.json").write_text(verdict.to_json() + "\n")
    return verdict


def overlap_with(
    live: Manifest, run: Run, client: Redis, lists: Path, model: str | None = None
) -> dict[str, float]:
    """Compare the first places of tonight's lists with live ones, for users spread evenly.

    The live ones are those of `model`, the default where none is named.
    Nothing where the live lists have expired: after a long outage there is nothing to compare
    with, and the first good night must not be held back for it.
    """
    if not whole(client, run.namespace, live):
        return {}
    sample = _sample(lists)
    names = Keys(run.namespace)
    keys = [names.list(live.generation, model or live.default_model, row["key"]) for row in sample]
    values: list[bytes | None] = client.mget(keys) if keys else []  # type: ignore[assignment]
    pairs = [
        (row["item_ids"][:_DEPTH], list(RankedList.from_json(value).items[:_DEPTH]))
        for row, value in zip(sample, values, strict=True)
        if value
    ]
    if not pairs:  # nobody has a list in both: as different as can be
        return {"jaccard": 0.0, "rank_biased_overlap": 0.0}
    return {
        "jaccard": fmean(jaccard(*pair) for pair in pairs),
        "rank_biased_overlap": fmean(rank_biased_overlap(*pair) for pair in pairs),
    }


def _sample(lists: Path) -> list[dict[str, Any]]:
    """Return key and item_ids of lists that are spread evenly over a file."""
    stride = max(1, -(-pq.read_metadata(lists).num_rows // _SAMPLE))
    n_before, sample = 0, []
    for rows in read_lists(lists, _SHOWN.names):
        places = np.arange(-n_before % stride, len(rows), stride)
        sample += rows.take(pa.array(places)).cast(_SHOWN).to_pylist()
        n_before += len(rows)
    return sample
