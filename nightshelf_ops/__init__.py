"""Commands of `nightshelf` that need the pipeline, as check, evaluate, experiment, tune and why.

The package `nightshelf` finds them where it is installed from a checkout, by the entry point
`nightshelf.commands`; apps that only read lists install neither these nor the pipeline
(docs/decisions/0014-shelfops.md). What they need is imported when they run: every other command
of `nightshelf` should start at once.

With ``--json`` their documents have the stable fields

- alerts test: ``namespace``, ``receivers`` (``receiver``, its name; ``error``, null where it was
  sent)
- check: ``namespace``, ``as_of``, ``rows`` (a relation each, fields of `tasks.check.Counted`),
  ``errors`` and ``warnings`` (sentences)
- evaluate: fields of `tasks.evaluation.compare.results.Evaluation`
- experiment plan: fields of `tasks.readout.plan.Plan`, with ``users`` and ``expected``
- experiment readout: ``namespace`` and fields of `tasks.readout.readout.Readout`
- init: ``namespace``, ``dry_run``, ``findings`` (``subject``, ``value``, ``sure``, ``why``),
  ``questions`` (``key``, ``text``, ``options``, ``default``), ``tables`` (``used``, ``left_out``),
  ``notes``, ``log`` (counts), ``types``, ``seen``, ``half_life_days``, ``category_from``,
  ``imported``; once written also ``files``, ``config``, ``as_of``, ``rows``, ``counts``,
  ``errors``, ``warnings`` and ``command``
- republish: ``namespace``, ``source`` and ``generation`` (the old number, and the new one or null),
  ``state`` (live, staged or null), ``digest``, ``dry_run``
- runs list: ``namespace``, ``runs`` of ``generation``, ``as_of`` (or null), ``bytes``,
  ``data_bytes``, ``pruned`` (when, or null), ``kept`` (why, or null)
- runs prune: ``namespace``, ``pruned`` (numbers), ``bytes``, ``dry_run``
- tune: the fields of `tasks.tuning.tune.Tuned`, with ``better``, and ``file`` (written, or null)
- why: ``namespace`` and the fields of `nightshelf_ops.answer.Answer`, with ``position``
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from nightshelf.cli.context import Context, command, open_context
from nightshelf.cli.doctor import REMEDIES
from nightshelf.cli.options import (
    LOCAL,
    SHOP,
    Config,
    DryRun,
    Force,
    Json,
    Namespace,
    RedisUrl,
    RunRoot,
    Yes,
)
from nightshelf.cli.tables.terminal import show_error
from nightshelf.errors import NightshelfError
from nightshelf_ops import alerts as alerts  # registers its command
from nightshelf_ops import experiments as experiments  # registers its commands
from nightshelf_ops import runs
from nightshelf_ops.reporting import pipeline, reported

Folder = Annotated[
    Path, typer.Argument(metavar="RUN_DIR", help="The folder of a run: runs/<namespace>/<gen>.")
]
User = Annotated[str, typer.Argument(metavar="USER", help="Whose list.")]
ItemId = Annotated[
    str | None, typer.Argument(metavar="ITEM", help="An item: why it is there, or is not.")
]

app = typer.Typer()
app.add_typer(runs.group, name="runs")


@app.command(
    epilog="Example: nightshelf check --events log/ --items items.parquet --as-of 2026-03-01"
)
def check(
    events: Annotated[Path, typer.Option(help="Event log: a Parquet file or a folder of them.")],
    items: Annotated[Path, typer.Option(help="Catalogue (Parquet).")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet).")] = None,
    namespace: Namespace = SHOP,
    as_of: Annotated[
        datetime | None, typer.Option(help="As for a night; the last midnight in UTC by default.")
    ] = None,
    config: Config = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Write the bad rows, with their reasons, to this Parquet.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge inputs and settings as a night would: all findings at once; exit 1 on errors."""
    with reported(as_json=as_json), pipeline():
        from nightshelf_ops.check import carry_out
    carry_out(events, items, users, namespace, as_of, config, quarantine, as_json=as_json)


@app.command(
    epilog="Example: nightshelf evaluate --events log/ --items items.parquet --as-of 2026-03-01"
)
def evaluate(
    events: Annotated[Path, typer.Option(help="Event log: a Parquet file or a folder of them.")],
    items: Annotated[Path, typer.Option(help="Catalogue (Parquet).")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet), for segments.")] = None,
    namespace: Namespace = SHOP,
    as_of: Annotated[
        datetime | None, typer.Option(help="As for a night; the last midnight in UTC by default.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Last days held out by time.")] = 7,
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="by-time, last-event or one-against-99; repeatable; all by default."),
    ] = None,
    max_users: Annotated[int, typer.Option(min=1, help="Most users to judge, a sample.")] = 20_000,
    every_rule: Annotated[
        bool, typer.Option("--every-rule", help="Also judge rules that the settings turn off.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of intervals and random items.")] = 1,
    run_root: RunRoot = Path("runs"),
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Judge each model's lists, and the price of each rule, by held-out events of the log."""
    with reported(as_json=as_json):
        with pipeline():
            from nightshelf_ops.evaluate import carry_out
            from tasks.evaluation.compare.evaluate_log import plan_of
        plan = plan_of(protocol or (), days, max_users, seed, every_rule=every_rule)
        carry_out(events, items, users, namespace, as_of, plan, run_root, config, as_json=as_json)


@app.command(
    epilog="Examples: nightshelf init orders.csv products.csv; nightshelf init shop.db --dry-run; "
    "nightshelf init log/ --answer item=asin --yes --night"
)
def init(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="CSV, JSONL, Parquet, a folder of them, a DuckDB or SQLite file, postgres://...",
        ),
    ],
    namespace: Namespace = SHOP,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of imported files; .nightshelf/<namespace> by default."),
    ] = None,
    config: Annotated[Path, typer.Option(help="Settings file to write.")] = Path("nightshelf.toml"),
    answer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Answer a question before it is asked, as user=customer, zone=Europe/Berlin or "
            "category=genre; repeatable. --dry-run --json lists the keys.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: take the likeliest answers.")
    ] = False,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the settings file.")] = False,
    night: Annotated[
        bool | None,
        typer.Option("--night/--no-night", help="Run the first night, or do not; asked otherwise."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start with your own log: look at it, propose settings, ask, import, run the first night.

    At most three questions are asked. All that was understood is printed with its reason, and
    written as comments into the settings file.
    """
    with reported(as_json=as_json), pipeline():
        from nightshelf_ops.init.command import Ask, carry_out
    answers = dict(given.partition("=")[::2] for given in answer or [])
    if "" in answers.values():
        raise typer.BadParameter("--answer: expected KEY=VALUE, as user=customer")
    folder = out or Path(".nightshelf") / namespace
    carry_out(Ask(paths, namespace, folder, config, answers, yes, dry_run, force, night, as_json))


@app.command(epilog="Example: nightshelf republish runs/shop/42")
def republish(
    folder: Folder,
    config: Config = None,
    force: Force = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    redis_url: RedisUrl = LOCAL,
    as_json: Json = False,
) -> None:
    """Publish a run's lists again from its folder, under the next number, with the same digest."""
    answers = {"as_json": as_json, "yes": yes, "dry_run": dry_run}
    with open_context(folder.resolve().parent.name, redis_url, **answers) as context:
        with pipeline():
            from nightshelf_ops.republish import carry_out
        carry_out(context, redis_url, folder, config, force=force)


@app.command(
    epilog="Example: nightshelf tune --events log/ --items items.parquet --as-of 2026-03-01 "
    "--minutes 10"
)
def tune(
    events: Annotated[Path, typer.Option(help="Event log: a Parquet file or a folder of them.")],
    items: Annotated[Path, typer.Option(help="Catalogue (Parquet).")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet).")] = None,
    namespace: Namespace = SHOP,
    as_of: Annotated[
        datetime | None, typer.Option(help="As for a night; the last midnight in UTC by default.")
    ] = None,
    config: Config = None,
    run_root: RunRoot = Path("runs"),
    minutes: Annotated[float, typer.Option(min=0.0, help="Time for the trials.")] = 10.0,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all; as many as the time allows.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Days of a window that judges.")] = 7,
    judged: Annotated[int, typer.Option(min=1, help="Users whom a window judges by.")] = 4_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 20260301,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("nightshelf.tuned.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: Json = False,
) -> None:
    """Search for settings that list better, judge them on later days, and write them to a file.

    The search goes on where an earlier one of the same log and settings ended. The settings file of
    the nights is never touched.
    """
    try:
        with pipeline():
            from nightshelf_ops.tune import carry_out
            from tasks.tuning.tune import Ask
    except NightshelfError as error:
        show_error(str(error))
        raise typer.Exit(1) from None
    ask = Ask(minutes, trials, days, judged, seed)
    files = (events, items, users)
    carry_out(files, namespace, as_of, config, run_root, ask, out, force=force, as_json=as_json)


@command(app, epilog="Examples: nightshelf why u42; nightshelf why u42 B2 --json")
def why(
    context: Context, user: User, item: ItemId = None, run_root: RunRoot = Path("runs")
) -> None:
    """Trace a user's list: what is known, what each rule left out, and why an item is there."""
    with pipeline():
        from nightshelf_ops.why import show_answer
    show_answer(context, user, item, run_root)


def _republish_words(namespace: str, run_root: Path) -> str | None:
    """Return the command that makes the newest good run live again, for `nightshelf doctor`."""
    try:
        with pipeline():
            from nightshelf_ops.newest import newest_good
    except NightshelfError:
        return None
    folder = newest_good(run_root, namespace)
    return f"nightshelf republish {folder}" if folder else None


REMEDIES["pointer"] = REMEDIES["keys"] = _republish_words
