"""Made-up nights whose lists name their generation, and checks of them."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from redis import Redis

from nightshelf.admin import generations
from nightshelf.contract.values import Manifest
from tasks.artifacts.records import Provenance
from tasks.publish.go_live import clear_orphans, flip
from tasks.publish.keyspace import Family
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, read_back, stage
from tasks.runs.run_folder import Run
from tests.lookup.shelves import age, settle
from tests.tasks.small_models import AS_OF, make_shelves

SHOP = "shop"
SETTINGS = PublishSettings()


def night(client: Redis, root: Path, n_users: int, settings: PublishSettings = SETTINGS) -> Run:
    """Publish a generation of `n_users` users, and as many items."""
    run = open_run(client, SHOP, AS_OF, root)
    shelves = shelves_of(run, n_users)
    staged = stage(run, client, shelves, settings, Provenance(10, ""))
    read_back(run, client, shelves, staged, settings)
    flip(run, client)
    return run


def next_night(client: Redis, root: Path, n_users: int) -> Run:
    """Publish what a night publishes a day later, when it has cleared away what it found."""
    for manifest in generations.listing(client, SHOP):
        if manifest.state == "staged":
            age(client, manifest.generation, timedelta(days=1))
    settle(client)
    clear_orphans(Run(SHOP, 0, AS_OF, root), client)
    return night(client, root, n_users)


def shelves_of(run: Run, n_users: int) -> tuple[Family, ...]:
    return make_shelves(run, n_users, mark=str(run.generation))


def user(at: int) -> str:
    return f"u{at:04}"


def items_of(generation: int, at: int, n_users: int) -> list[str]:
    """Return the list of user `at`, written another way than `make_shelves` writes it."""
    return [f"{generation}-{item:04}" for item in range(at % 7, min(at % 7 + 10, n_users))]


def contents(shelves: tuple[Family, ...]) -> dict[str, bytes]:
    return {entry.key: entry.value for family in shelves for entry in family.entries()}


def n_lost(client: Redis, values: dict[str, bytes]) -> int:
    """Count the keys that Redis has no more, or with another value."""
    found = client.mget(list(values))
    return sum(value != kept for value, kept in zip(values.values(), found, strict=True))


def live(client: Redis) -> int | None:
    manifest = generations.current(client, SHOP)
    return manifest.generation if manifest else None


def manifest_of(client: Redis, generation: int) -> Manifest:
    known = generations.listing(client, SHOP)
    return next(each for each in known if each.generation == generation)


def limit_memory(client: Redis, policy: str, headroom_bytes: int) -> None:
    used = client.info("memory")["used_memory"]
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", used + headroom_bytes)


def eventually(condition: Callable[[], bool], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not so after {within_s} s"
        time.sleep(0.01)
