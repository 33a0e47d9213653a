"""Publishing a run again from its folder, for a Redis that came back empty.

The lists get a new number, since numbers only grow, and the digest that they had.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
from redis import Redis

from nightshelf.admin import generations
from nightshelf.admin.lifecycle import mark_bad
from nightshelf.contract.values import Manifest
from nightshelf.errors import TransitionRefused
from tasks.artifacts.records import GenerationFiles, Provenance
from tasks.errors import RunFolderError, VerificationError
from tasks.publish.go_live import flip, newer_night
from tasks.publish.keyspace import Family, families
from tasks.publish.memory_estimate import estimate_memory
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, read_back, stage
from tasks.runs.resume import link
from tasks.runs.run_folder import Progress, Run, no_progress
from tasks.runs.saved_run import LOG, PUBLISHED, SETTINGS, SavedRun, lists_file, require

#: What a run is made live from, and what `nightshelf why` and the refresh read.
_KEPT = (SETTINGS, "choice.json", "catalogue.parquet", "features", "model", "lists", *LOG)


def refuse_unless_good(client: Redis, source: SavedRun, *, force: bool = False) -> None:
    """Raise `TransitionRefused` for a run that should not be live.

    It was marked `bad`; or a gate held it back, or none has judged it (`blocked`), or what is live
    has seen more (`superseded`). `force` passes all but the first.
    """
    run, manifest = source.run, source.manifest
    of = f"generation {run.generation} of {run.namespace}"
    known = generations.listing(client, run.namespace)
    if any(each.state == "bad" and each.digest == manifest.digest for each in known):
        raise TransitionRefused("bad", f"{of} is marked bad: it never goes live")
    if force:
        return
    if not manifest.gates:
        raise TransitionRefused(
            "blocked", f"{of}: its night broke off before the gates; --force goes on without them"
        )
    blocked = [name for name, outcome in sorted(manifest.gates.items()) if outcome == "block"]
    if blocked:
        raise TransitionRefused(
            "blocked", f"{of}: held back by {', '.join(blocked)}; --force goes on"
        )
    if newer := newer_night(run, client):
        raise TransitionRefused(
            "superseded",
            f"{of} is as of {manifest.as_of}, and generation {newer.generation}, as of "
            f"{newer.as_of}, is live; --force goes on",
        )


def republish(
    client: Redis,
    source: SavedRun,
    settings: PublishSettings,
    *,
    force: bool = False,
    progress: Progress = no_progress,
) -> Manifest:
    """Stage a run's lists under the next number, prove the digest of old, and flip.

    A pin leaves them staged, and so does a live generation that has seen more, unless `force`. The
    live experiments go on; a Redis without any gets the run's. Raises `RunFolderError` where a file
    is missing or damaged, `VerificationError` where they are no longer those that were published,
    and what estimate, staging and flip raise. Whatever is raised, what is live stays so.
    """
    old, manifest = source.run, source.manifest
    _shelves(old, manifest.models)
    run = open_run(client, old.namespace, old.as_of, old.root)
    with run.writing("files"):
        for name in _kept(old):
            link(old.folder / name, run.path(name))
    shelves = _shelves(run, manifest.models)
    settings = replace(settings, ttl_s=manifest.ttl_s)
    with _reading(old):
        estimate_memory(run, client, shelves)
        made_from = Provenance(
            manifest.list_length,
            manifest.config_hash,
            manifest.model_hash,
            manifest.inputs,
            manifest.counting,
            manifest.choice,
        )
        staged = stage(run, client, shelves, settings, made_from, progress=progress)
    if staged.digest != manifest.digest:
        mark_bad(client, run.namespace, run.generation)  # whole, so it could be promoted
        raise VerificationError(
            f"{old.folder} holds other lists than were published from it: digest "
            f"{staged.digest[:12]}, expected {manifest.digest[:12]}. Nothing went live, and "
            f"generation {run.generation} is marked bad; take an older run's folder, or a backup"
        )
    read_back(run, client, shelves, staged, settings, progress=progress)
    written = Manifest.from_json(staged.manifest.read_bytes())
    live = generations.current(client, run.namespace)
    judged = replace(
        written,
        metrics=manifest.metrics,
        gates=manifest.gates,
        experiments=live.experiments if live else manifest.experiments,
    )
    generations.stage(client, run.namespace, judged)
    staged.manifest.write_bytes(judged.to_json() + b"\n")
    return flip(run, client, force=force)


def _kept(source: Run) -> list[str]:
    files = sorted(path for path in source.folder.rglob("*") if path.is_file())
    names = [path.relative_to(source.folder) for path in files]
    return [name.as_posix() for name in names if name.parts[0] in _KEPT]


def _shelves(run: Run, models: Sequence[str]) -> tuple[Family, ...]:
    """Return the families of a run with the lists of each model, the default first."""
    lists = {name: run.folder / lists_file(name, models[0]) for name in models}
    others = [run.folder / name for name in PUBLISHED]
    paths = [*lists.values(), *others]
    names = [path.relative_to(run.folder).as_posix() for path in paths]
    require(run.folder, names, "the run did not finish its lists")
    for path in paths:
        with _reading(run):
            pq.read_metadata(path)
    return families(run, GenerationFiles(lists, *others))


@contextmanager
def _reading(run: Run) -> Iterator[None]:
    """Raise `RunFolderError` for Parquet that cannot be read."""
    try:
        yield
    except (pa.ArrowInvalid, OSError, LookupError, UnicodeDecodeError) as error:  # none of Redis
        raise RunFolderError(f"{run.folder}: a file is damaged: {error}") from error
