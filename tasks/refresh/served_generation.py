"""The generations that readers are served, with their nights' files and settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from nightshelf.admin import generations
from nightshelf.contract.assignment import in_canary
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Canary, Manifest
from nightshelf.errors import TransitionRefused
from tasks.artifacts.records import CleanLog
from tasks.errors import RunFolderError
from tasks.features.settings import FeatureSettings
from tasks.ingest.settings import EventSettings
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import (
    LOG,
    SETTINGS,
    SavedRun,
    model_files,
    read_settings,
    require,
    settings_of,
)

_FILES = (
    SETTINGS,
    *LOG,
    "features/items.parquet",
    "features/item_ids.parquet",
    "features/user_ids.parquet",
)


@dataclass(frozen=True)
class ServedGeneration:
    """A live generation or a canary, with its night's files and settings.

    `moved_at` is when readers were last sent to another generation, as the fence has it; `canary`
    is the present one, if any.
    """

    run: Run
    manifest: Manifest
    moved_at: bytes
    canary: Canary | None
    events: EventSettings
    weighing: FeatureSettings
    listing: TopNSettings

    @property
    def models(self) -> tuple[str, ...]:
        """Models whose lists are published, the default first."""
        return tuple(dict.fromkeys([self.manifest.default_model, *self.manifest.models]))

    def serves(self, user: str) -> bool:
        """Tell whether this is the generation that a user is served."""
        out = self.canary
        drawn = out is not None and in_canary(user, out.generation, out.share)
        return drawn == (out is not None and out.generation == self.run.generation)

    def is_served_by(self, live: Manifest | None) -> bool:
        """Tell whether a pointer sends all or some readers to this generation."""
        if live is None:
            return False
        out = live.canary.generation if live.canary else None
        return self.run.generation in (live.generation, out)

    @property
    def refreshed_key(self) -> str:
        """The key of the counts of what the refresh did to this generation."""
        return Keys(self.run.namespace).refreshed(self.run.generation)

    @property
    def log(self) -> CleanLog:
        """The clean log that the night was made from."""
        return bare_log(*map(self.file, LOG))

    def file(self, name: str) -> Path:
        """Return the path of one of the night's artifacts."""
        return self.run.folder / name


def open_served(client: Redis, namespace: str, root: Path) -> list[ServedGeneration]:
    """Return the live generation, and the canary where one is out.

    Raises `TransitionRefused` (`nothing-live`), and `RunFolderError` where the folder of the run
    that made one is not under `root`, or holds another.
    """
    # In this order: what moves in between is noticed before anything is written.
    moved_at: bytes = client.hget(Keys(namespace).fence, "moved_at") or b""  # type: ignore[assignment]
    live = generations.current(client, namespace)
    if live is None:
        raise TransitionRefused(
            "nothing-live", f"{namespace} has nothing live to refresh: run the nightly flow first"
        )
    digests = {live.generation: live.digest}
    if live.canary:
        known = generations.listing(client, namespace)
        out = live.canary.generation
        digests |= {each.generation: each.digest for each in known if each.generation == out}
    return [
        _open(root / namespace / str(generation), digest, moved_at, live.canary)
        for generation, digest in digests.items()
    ]


def bare_log(events: Path, items: Path, users: Path) -> CleanLog:
    """Return a clean log of which nothing but the files is known."""
    return CleanLog(
        events=events,
        items=items,
        users=users,
        quarantine=events.with_name("quarantine.parquet"),
        rows_read=0,
        n_events=0,
        n_items=0,
        n_duplicates=0,
        n_after_as_of=0,
        n_quarantined=0,
        quarantined={},
        event_types={},
        set_aside={},
    )


def _open(folder: Path, digest: str, moved_at: bytes, canary: Canary | None) -> ServedGeneration:
    saved = SavedRun.open(folder)
    run, manifest = saved.run, saved.manifest
    if manifest.digest != digest:
        raise RunFolderError(
            f"{folder} holds another generation {run.generation} than the one that is served: "
            "name the folder of its runs in --run-root"
        )
    require(
        folder,
        (*_FILES, *(f for name in manifest.models for f in model_files(name, with_users=False))),
        "its lists were made from them, and refreshing goes on with the next night",
    )
    given = read_settings(run.folder)

    def rules(kind: type[Any], step: str) -> Any:
        return settings_of(kind, given.get(step, {}))

    return ServedGeneration(
        run=run,
        manifest=manifest,
        moved_at=moved_at,
        canary=canary,
        events=rules(EventSettings, "events"),
        weighing=rules(FeatureSettings, "features"),
        listing=rules(TopNSettings, "topn"),
    )
