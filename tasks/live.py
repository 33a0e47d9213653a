"""What becomes of the live generation: replaced by tonight's, or kept; and old debris cleared."""

from contextlib import suppress
from dataclasses import dataclass

from redis import Redis

from nightshelf import generations
from nightshelf.errors import TransitionRefused
from nightshelf.upkeep import extend, orphans, retire
from nightshelf.values import Manifest
from tasks.run import Run, step


@dataclass(frozen=True)
class Kept:
    """Keys of the live generation that live on."""

    n_keys: int


@dataclass(frozen=True)
class Cleared:
    """What dead publishers had left."""

    n_generations: int
    n_keys: int


@step
def flip(run: Run, client: Redis) -> Manifest:
    """Make the staged generation live, for every reader at once; a pin leaves it staged."""
    try:
        return generations.flip(client, run.namespace, run.generation)
    except TransitionRefused as refused:
        if refused.reason != "pinned":
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
    """Delete what publishers that died half-way have left; what one still writes is let be."""
    n_keys = n_generations = 0
    for orphan in orphans(client, run.namespace):
        with suppress(TransitionRefused):  # somebody else is at it, or it is too soon
            n_keys += retire(client, run.namespace, orphan.generation)
            n_generations += 1
    return Cleared(n_generations, n_keys)
