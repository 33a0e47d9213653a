"""Rewrites the tables of `docs/quality.md`: models, rules and history on each log.

Each log is evaluated as `nightshelf evaluate --every-rule` does it, with the settings' defaults;
then the rules of the default model's lists are measured over all its users. Where
`benchmarks.quality` is there, its tables stand first. Run as `make quality`;
a part whose log is absent stays as it is.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._page import rewritten
from benchmarks._public_logs import Log, public_logs
from tasks.artifacts.records import CleanLog, Made
from tasks.choose.choose import choose_blend
from tasks.evaluation.compare.evaluate_log import PROTOCOLS, Plan, evaluate_log
from tasks.evaluation.compare.tables import Table, markdown, tables_of
from tasks.evaluation.measure import measure
from tasks.pipeline import Pipeline
from tasks.recipe import Recipe
from tasks.recommend.popularity import popular_lists
from tasks.recommend.settings import TopNSettings
from tasks.recommend.topn import top_n
from tasks.runs.run_folder import Run
from tasks.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "quality.md"
#: Rules that are measured over all lists, by name: what differs from the defaults.
RULES: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "explore 1": {"explore_slots": 1},
    "explore 2": {"explore_slots": 2},
    "cap 10 %": {"max_item_share": 0.1},
    "cap 5 %": {"max_item_share": 0.05},
    "cap 10 %, explore 1": {"max_item_share": 0.1, "explore_slots": 1},
    "`none`": {"rerank": "none"},
    "`mmr`": {"rerank": "mmr"},
    "`mmr`, cap 10 %, explore 1": {"rerank": "mmr", "max_item_share": 0.1, "explore_slots": 1},
}


def main() -> None:
    """Evaluate every log, and rewrite the page after each."""
    if importlib.util.find_spec("benchmarks.quality"):
        write("quality", list(_printed("benchmarks.quality")))
    with TemporaryDirectory() as name:
        for log in public_logs(Path(name)):
            print(f"== {log.title}: {log.clean.n_events:,} events", flush=True)
            write(f"quality_page, models on {log.run.namespace}", list(models(log)))
            write(f"quality_page, rules on {log.run.namespace}", markdown(rules(log)))


def write(name: str, lines: list[str]) -> None:
    """Rewrite one part of the page."""
    PAGE.write_text(rewritten(PAGE.read_text(), name, lines))
    print(f"wrote {name}", flush=True)


def models(log: Log) -> Iterator[str]:
    """Yield the lines of a log's evaluation, a heading a table, segments left out."""
    protocols = tuple(name for name in PROTOCOLS if log.days or name != "by-time")
    plan = Plan(protocols, log.days or 1, every_rule=True)
    settings = Settings()

    def choose(past: Run, known: CleanLog) -> Recipe:
        recipe = settings.compared
        return choose_blend(past, known, settings.choose, recipe, None).applied(recipe)

    found = evaluate_log(log.run, log.clean, settings.compared, plan, choose=choose)
    for table in tables_of(found):
        if not table.title.endswith("by segment"):
            yield from ("", f"#### {log.title}: {table.title[0].lower()}{table.title[1:]}", "")
            yield from markdown(table)


def rules(log: Log) -> Table:
    """Return what each rule does to all lists of the default model."""
    run = log.run.inside("rules", log.run.as_of)
    settings = Settings()
    recipe = settings.recipe
    recipe = choose_blend(run, log.clean, settings.choose, recipe, None).applied(recipe)
    pipeline = Pipeline(run, log.clean, recipe)
    features = pipeline.features()
    trained = pipeline.models(features, pipeline.popularity(), warm=False)
    model = next(iter(trained.values()))
    popular = popular_lists(
        run, log.clean, features, recipe.popularity, recipe.topn, recipe.features
    )
    rows = []
    for number, (name, rule) in enumerate(RULES.items()):
        listing = replace(TopNSettings(), **rule)
        inner = run.inside(str(number), run.as_of)
        lists = top_n(inner, features, model, listing)
        made = Made(log.clean, features, {model.name: model}, {model.name: lists}, popular)
        found = asdict(measure(inner, made, listing))
        kept = 1.0 if found["score_kept"] is None else found["score_kept"]
        rows.append(
            [
                name,
                f"{found['coverage']:.1%}",
                f"{found['diversity']:.3f}",
                f"{found['gini']:.3f}",
                f"{found['top_item_share']:.1%}",
                f"{kept:.1%}",
            ]
        )
    heads = ["rule", "coverage", "diversity", "Gini", "top item", "score kept"]
    about = f"{log.title}, {found['n_lists']:,} lists of `{model.name}`:"
    return Table(log.title, about, heads, rows, n_names=1)


def _printed(module: str) -> Iterator[str]:
    """Yield the lines that a benchmark prints, the line before a table as a heading."""
    command = [sys.executable, "-m", module]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = printed.strip().splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        heads = after.startswith("|") and not line.startswith("|")
        yield from (f"### {line}", "") if heads else (line,)


if __name__ == "__main__":
    main()
