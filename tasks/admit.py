"""Whether a staged generation may go live: its figures and lists against the live one's."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
from redis import Redis

from nightshelf import generations
from nightshelf.contract import Keys
from nightshelf.values import Manifest, RankedList
from tasks.gates import GateSettings, Verdict, figures, judge
from tasks.measure import Metrics
from tasks.overlap import Rows, jaccard, rank_biased_overlap
from tasks.records import CleanLog, Served
from tasks.run import Run, step

#: Users whose lists are compared: enough for a mean to three digits, few enough for one MGET.
_SAMPLE = 2_000


@step
def check_gates(
    run: Run, client: Redis, log: CleanLog, metrics: Metrics, served: Served, settings: GateSettings
) -> Verdict:
    """Judge the staged generation; its manifest and `gates.json` keep figures and outcomes."""
    live = generations.current(client, run.namespace)
    tonight = figures(log, metrics)
    overlap = _overlap(run, client, live, served) if live else {}
    verdict = judge(tonight, live.metrics if live else {}, overlap, settings)
    outcomes: dict[str, str] = {gate.name: gate.outcome for gate in verdict.gates}
    manifest = Manifest.from_json(run.path("manifest.json").read_bytes())
    manifest = replace(manifest, metrics=tonight | overlap, gates=outcomes)
    generations.stage(client, run.namespace, manifest)
    run.path("manifest.json").write_bytes(manifest.to_json() + b"\n")
    run.path("gates.json").write_text(verdict.to_json() + "\n")
    return verdict


def _overlap(run: Run, client: Redis, live: Manifest, served: Served) -> dict[str, float]:
    """Compare tonight's lists of users spread evenly over all with those that are live."""
    table = pq.read_table(served.lists, columns=["key", "item_ids"])
    step_size = max(1, len(table) // _SAMPLE)
    sample = table.take(np.arange(0, len(table), step_size)).to_pydict()
    keys = [Keys(run.namespace).list(live.generation, live.default_model, u) for u in sample["key"]]
    values: list[bytes | None] = client.mget(keys) if keys else []  # type: ignore[assignment]
    pairs = [
        (ours, list(RankedList.from_json(value).items))
        for ours, value in zip(sample["item_ids"], values, strict=True)
        if value
    ]
    if not pairs:  # nobody has a list in both: as different as can be
        return {"jaccard": 0.0, "rank_biased_overlap": 0.0}
    numbers = {item: at for at, item in enumerate({i for pair in pairs for s in pair for i in s})}
    width = max(len(side) for pair in pairs for side in pair)
    ours, theirs = (_rows([pair[side] for pair in pairs], numbers, width) for side in (0, 1))
    return {
        "jaccard": float(jaccard(ours, theirs).mean()),
        "rank_biased_overlap": float(rank_biased_overlap(ours, theirs).mean()),
    }


def _rows(lists: list[list[str]], numbers: dict[str, int], width: int) -> Rows:
    rows = np.full((len(lists), width), -1, np.int64)
    for at, items in enumerate(lists):
        rows[at, : len(items)] = [numbers[item] for item in items]
    return rows
