"""`nightshelf republish`: a run's lists live again, for a Redis that came back empty."""

from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from nightshelf.admin.namespace_state import NamespaceState, read_state
from nightshelf.admin.plans import live_text
from nightshelf.cli.context import Context
from nightshelf.cli.tables.terminal import show_line
from nightshelf.contract.values import Manifest
from nightshelf.text import minute_text
from tasks.publish.redis_client import connect
from tasks.publish.republish import refuse_unless_good, republish
from tasks.publish.settings import PublishSettings
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import SavedRun
from tasks.settings import load_settings


def carry_out(
    context: Context, redis_url: str, folder: Path, config: Path | None, *, force: bool
) -> None:
    """Print the plan, ask, and publish with a publisher's timeouts."""
    saved = SavedRun.open(folder)
    source, manifest = saved.run, saved.manifest
    settings = load_settings(source.namespace, config).publish
    refuse_unless_good(context.client, saved, force=force)
    plan = _plan(source, manifest, read_state(context.client, source.namespace))
    live = None
    if context.confirm(plan):
        live = _republish(redis_url, saved, settings, force=force)
    if context.as_json:
        context.document(
            source=source.generation,
            generation=live.generation if live else None,
            state=live.state if live else None,
            digest=manifest.digest,
            dry_run=context.dry_run,
        )
    elif live:
        show_line(_result(read_state(context.client, source.namespace), live))


def _republish(
    redis_url: str, saved: SavedRun, settings: PublishSettings, *, force: bool
) -> Manifest:
    with closing(connect(redis_url, settings)) as client, _bar() as bar:
        job = bar.add_task("keys")

        def show_progress(done: int, total: int) -> None:
            bar.update(job, completed=done, total=total)

        return republish(client, saved, settings, force=force, progress=show_progress)


def _plan(source: Run, manifest: Manifest, state: NamespaceState) -> str:
    """Return the plan as a sentence: the keys, and the generation that they replace."""
    now = "nothing is live now"
    if live := state.live:
        now = f"in place of generation {live.generation} (as of {minute_text(live.as_of)})"
    if state.pinned is not None:
        now = f"but stay staged: {source.namespace} is pinned to generation {state.pinned}"
    n_keys, as_of = sum(manifest.counts.values()), minute_text(manifest.as_of)
    return (
        f"{source.namespace}: the {n_keys:,} keys of generation {source.generation} (as of {as_of},"
        f" digest {manifest.digest[:8]}) go live under the next number, {now}"
    )


def _result(state: NamespaceState, ours: Manifest) -> str:
    """Return the outcome as a sentence: the live generation, and the next command if another."""
    now, number = live_text(state), ours.generation
    if ours.state == "live":
        return now
    if state.pinned is not None:
        return f"{now}; {number} stays staged: unpin, then promote {number}"
    return f"{now}, and has seen more: {number} stays staged; promote {number} --force goes on"


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
