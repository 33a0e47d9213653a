"""The night's report: JSON with all figures, an HTML page, Markdown for Prefect."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from tasks.artifacts.records import Made, Staged
from tasks.report.charts import all_pictures
from tasks.report.experiments import VariantRow, variant_rows
from tasks.report.facts import Outcome, report_facts
from tasks.report.headline import Headline, judge
from tasks.report.html import to_html
from tasks.report.markdown import to_markdown
from tasks.report.settings import Targets
from tasks.runs.journal import step
from tasks.runs.run_folder import Run


@dataclass(frozen=True)
class Report:
    """Files of the report, its figures with targets, and the generation's state.

    `variants` are those of the experiments that run.
    """

    json: Path
    md: Path
    html: Path
    headline: tuple[Headline, ...]
    state: str
    variants: tuple[VariantRow, ...] = ()


@step
def write_report(
    run: Run,
    made: Made,
    staged: Staged | None,
    outcome: Outcome,
    targets: Targets,
) -> Report:
    """Write report.json, report.md and report.html.

    Nights with equal files, seconds, peaks of memory and reports before them give equal bytes.
    Nothing was `staged` of a past date that is not published.
    """
    headline = judge(outcome.metrics, outcome.quality, targets, outcome.choice)
    variants = variant_rows(outcome.tonight, list(made.models))
    facts = report_facts(run, made, staged, outcome, targets, headline, variants)
    pictures = all_pictures(facts["curves"], facts["steps"])
    written = {
        "json": orjson.dumps(facts, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS),
        "md": to_markdown(facts, pictures).encode(),
        "html": to_html(facts, pictures).encode(),
    }
    paths = {ending: run.path(f"report.{ending}") for ending in written}
    for ending, content in written.items():
        paths[ending].write_bytes(content)
    return Report(**paths, headline=headline, state=outcome.state, variants=variants)
