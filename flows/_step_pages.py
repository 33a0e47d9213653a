"""Artifacts of the steps: what a step found, short enough to be read, beside it in Prefect's UI.

Steps whose counts in the log say all have none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import duckdb
import orjson

from tasks.artifacts.records import CleanLog
from tasks.choose.choice import Choice
from tasks.evaluation.drift.compare import Drift
from tasks.evaluation.gates import Verdict
from tasks.evaluation.measure import Metrics
from tasks.io.duckdb_session import one_file
from tasks.report.choice import choice_facts, choice_tables, choice_text
from tasks.report.drift import DRIFT_HEADS, drift_rows, drift_text
from tasks.report.figures import QUALITY, REACH, RULES, table_of
from tasks.report.markdown import captioned, escape
from tasks.report.tables import Table, count_table
from tasks.report.text import GATE_HEADS, gate_rows
from tasks.runs.run_folder import Run

#: Rows of the quarantine that are shown, of each reason, and characters of a record.
_REFUSED, _RECORD = 3, 200
_REFUSED_SQL = """
SELECT reason, file, "row", record
FROM (
    SELECT *, row_number() OVER (PARTITION BY reason ORDER BY file, "row") AS place
    FROM read_parquet($path)
)
WHERE place <= $n
ORDER BY reason, file, "row"
"""
_FIGURES = ("Figure", "Value", "Good", "What it says")

Parts = Iterable[str]


def clean_events(_: Run, log: CleanLog) -> Parts:
    """Yield the counts, the warnings, and some of the rows in quarantine."""
    yield "\n".join(f"- **Warning**: {escape(warning)}" for warning in log.warnings)
    counts = {
        "rows read": log.rows_read,
        "events, each once": log.n_events,
        "duplicates left out": log.n_duplicates,
        "later than the night may see": log.n_after_as_of,
        "of idle types": log.n_idle,
        "rows in quarantine": log.n_quarantined,
        "items of the catalogue": log.n_items,
    }
    rows = [(name, f"{n:,}") for name, n in counts.items()]
    yield captioned(Table("What was read", ("What", "Count"), rows))
    yield captioned(count_table("Events by type", "Type", log.event_types))
    yield captioned(count_table("Quarantine by reason", "Reason", log.quarantined))
    yield captioned(Table("Some of the rows in quarantine", _REFUSED_HEADS, _refused(log)))
    yield captioned(Table("Files set aside", ("File", "Because"), [*log.set_aside.items()]))


_REFUSED_HEADS = ("Reason", "File", "Row", "Record")


def _refused(log: CleanLog) -> Sequence[tuple[str, ...]]:
    """Return the first rows of each reason; their records may hold what people have typed."""
    if not log.n_quarantined:
        return []
    with duckdb.connect() as db:
        given = {"path": one_file(log.quarantine), "n": _REFUSED}
        found = db.execute(_REFUSED_SQL, given).fetchall()
    return [(why, file, str(row), str(record)[:_RECORD]) for why, file, row, record in found]


def choose_blend(run: Run, choice: Choice) -> Parts:
    """Yield the choice, its grounds and its candidates."""
    facts = choice_facts(choice, run.steps())
    yield from map(escape, choice_text(facts))
    yield from map(captioned, choice_tables(facts))


def measure(_: Run, metrics: Metrics) -> Parts:
    """Yield the figures of the lists."""
    values = asdict(metrics)
    for caption, figures in (("Lists", QUALITY), ("Reach", REACH), ("Rules", RULES)):
        yield captioned(Table(caption, _FIGURES, table_of(values, figures)))


def measure_drift(_: Run, drift: Drift) -> Parts:
    """Yield how far each distribution has moved."""
    facts = orjson.loads(drift.path.read_bytes())
    yield escape(drift_text(facts))
    yield captioned(Table("Distributions", DRIFT_HEADS, drift_rows(facts)))


def check_gates(_: Run, verdict: Verdict) -> Parts:
    """Yield each gate with its figure and limit."""
    if verdict.blocked:
        yield f"**Blocked**: {escape(verdict.reasons())}."
    rows = gate_rows([asdict(gate) for gate in verdict.gates])
    yield captioned(Table("Gates", GATE_HEADS, rows))
