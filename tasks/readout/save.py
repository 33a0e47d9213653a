"""Readouts kept in Parquet beside the history of the experiments, a row a figure.

::

    runs/<namespace>/experiments/readouts.parquet    grain: experiment x until x metric x variant
    runs/<namespace>/experiments/<experiment>.json   the last readout, whole
    runs/<namespace>/experiments/<experiment>.html   its page
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.io.parquet import write_table
from tasks.readout.page import to_html
from tasks.readout.records import Readout

_COMPARED = ("difference", "low", "high", "lift", "lift_low", "lift_high", "p")
READOUTS = pa.schema(
    [
        ("experiment", pa.string()),
        ("until", pa.timestamp("us", "UTC")),
        ("metric", pa.string()),
        ("variant", pa.string()),
        ("role", pa.string()),
        ("valid", pa.bool_()),
        ("users", pa.int64()),
        ("value", pa.float64()),
        ("value_low", pa.float64()),
        ("value_high", pa.float64()),
        *((name, pa.float64()) for name in _COMPARED),
        *((f"adjusted_{name}", pa.float64()) for name in _COMPARED),
        ("p_holm", pa.float64()),
        ("outcome", pa.string()),
        ("fraction", pa.float64()),
        ("breached", pa.bool_()),
        ("probability_best", pa.float64()),
        ("expected_loss", pa.float64()),
    ]
)


def save(found: Readout, folder: Path, namespace: str) -> Path:
    """Write a readout's rows, document and page; return the page's path.

    Rows of the same experiment and instant are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "readouts.parquet"
    until = datetime.fromisoformat(found.until)
    kept = [
        row
        for row in read_rows(folder)
        if (row["experiment"], row["until"]) != (found.experiment, until)
    ]
    rows = sorted([*kept, *rows_of(found)], key=_order)
    write_table(path, pa.Table.from_pylist(rows, READOUTS))
    document = orjson.dumps(found.document(), option=orjson.OPT_INDENT_2)
    (folder / f"{found.experiment}.json").write_bytes(document)
    page = folder / f"{found.experiment}.html"
    page.write_text(to_html(found, namespace))
    return page


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of all readouts of a namespace; none before the first."""
    path = folder / "readouts.parquet"
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = pq.read_table(path, schema=READOUTS, partitioning=None).to_pylist()
    return rows


def rows_of(found: Readout) -> Iterator[dict[str, Any]]:
    """Yield a row for each metric of each variant."""
    figures = {(each.metric, each.variant): each for each in found.figures}
    verdicts = {each.variant: each for each in found.verdicts}
    breached = {(each.metric, each.variant): each.breached for each in found.guardrails}
    beliefs = {(each.metric, each.variant): each.posterior for each in found.beliefs}
    for value in found.values:
        key = (value.metric, value.variant)
        row: dict[str, Any] = {
            "experiment": found.experiment,
            "until": datetime.fromisoformat(found.until),
            "metric": value.metric,
            "variant": value.variant,
            "role": "control",
            "valid": found.valid,
            "users": value.users,
            "value": value.value,
            "value_low": value.low,
            "value_high": value.high,
            "breached": breached.get(key),
        }
        if posterior := beliefs.get(key):
            row |= {"probability_best": posterior.p_best, "expected_loss": posterior.loss}
        if figure := figures.get(key):
            row |= {"role": figure.role, "p_holm": figure.p_holm}
            row |= {name: getattr(figure.plain, name) for name in _COMPARED}
            past = asdict(figure.adjusted) if figure.adjusted else {}
            row |= {f"adjusted_{name}": past.get(name) for name in _COMPARED}
            if figure.role == "primary" and (verdict := verdicts.get(value.variant)):
                row |= {"outcome": verdict.outcome, "fraction": verdict.fraction}
        yield row


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["experiment"], row["until"], row["metric"], row["variant"]
