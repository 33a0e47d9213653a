"""Replace the live generation by tonight's or keep it, and clear old debris."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from nightshelf.admin import generations
from nightshelf.admin.lifecycle import promote
from nightshelf.admin.retention import extend, orphans, prune, retire
from nightshelf.contract.values import Manifest
from nightshelf.errors import TransitionRefused
from tasks.runs.journal import step
from tasks.runs.run_folder import Run


@dataclass(frozen=True)
class Kept:
    """Keys of the live generation that live on."""

    n_keys: int


@dataclass(frozen=True)
class Cleared:
    """Remains of dead publishers."""

    n_generations: int
    n_keys: int


def newer_night(run: Run, client: Redis) -> Manifest | None:
    """Return the live generation where it has seen more than this run may: it is not to be left.

    A night that starts late, or was started for a day long gone, ends here before it computes.
    """
    live = generations.current(client, run.namespace)
    if live is None or datetime.fromisoformat(live.as_of) <= run.as_of:
        return None
    return live


def has_rival(run: Run, client: Redis) -> bool:
    """Tell whether a generation with a later number has seen as much as this run, live or not.

    One that was rolled back is such a one: a night that slept is not to bring it back.
    """
    known = generations.listing(client, run.namespace)
    later = (each for each in known if each.generation > run.generation)
    return any(datetime.fromisoformat(each.as_of) >= run.as_of for each in later)


def given_up(run: Run, client: Redis) -> frozenset[int]:
    """Return the generations that an operator has marked bad."""
    known = generations.listing(client, run.namespace)
    return frozenset(each.generation for each in known if each.state == "bad")


@step
def flip(run: Run, client: Redis, *, force: bool = False) -> Manifest:
    """Make the staged generation live, for every reader at once.

    A pin leaves it staged, and so does a live generation that has seen more, unless `force`.
    """
    if force and generations.pinned(client, run.namespace) is None:
        return promote(client, run.namespace, run.generation, force=True)
    try:
        return generations.flip(client, run.namespace, run.generation)
    except TransitionRefused as refused:
        if refused.reason not in ("pinned", "superseded"):
            raise
        return Manifest.from_json(run.path("manifest.json").read_bytes())


@step
def keep_live(run: Run, client: Redis) -> Kept:
    """Give the live generation its full time to live again: no night has followed it."""
    if generations.current(client, run.namespace) is None:
        return Kept(0)
    return Kept(extend(client, run.namespace))


@step
def clear_orphans(run: Run, client: Redis) -> Cleared:
    """Delete what publishers that died have left, and forget generations of long ago.

    What a publisher still writes is let be, and what waits for an operator.
    """
    prune(client, run.namespace)
    n_keys = n_generations = 0
    for orphan in orphans(client, run.namespace):
        with suppress(TransitionRefused):  # somebody else is at it, or it is too soon
            n_keys += retire(client, run.namespace, orphan.generation)
            n_generations += 1
    return Cleared(n_generations, n_keys)
