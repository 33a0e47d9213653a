"""A generation with lists of two models, and an experiment between them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from nightshelf.admin.generations import current
from nightshelf.contract.experiment import Experiment, Variant, assigned
from nightshelf.contract.keys import Keys
from tests.lookup.shelves import SHOP, publish, ranked, record

KEYS = Keys(SHOP)
HALVES = Experiment(
    "exp-1",
    2,
    ((0, 8_000),),
    (Variant("now", "als", ((0, 5_000),)), Variant("links", "ease", ((5_000, 10_000),))),
)


def user_of(variant: str | None, experiment: Experiment = HALVES, start: int = 0) -> str:
    """Return a user of a variant, or one who is in no experiment."""
    at = datetime.now(UTC)
    users = (f"u{number}" for number in range(start, start + 1_000))
    found = ((user, assigned([experiment], user, at)) for user in users)
    return next(user for user, each in found if (each.variant if each else None) == variant)


NOW, LINKS, OUT = (user_of(variant) for variant in ("now", "links", None))


def experimenting(
    client: Redis, *experiments: Experiment, models: tuple[str, ...] = ("als", "ease")
) -> None:
    """Publish generation 1, with lists of both models for each of the users, and experiments."""
    publish(client)
    for user in (NOW, LINKS, OUT):
        for model in ("als", "ease"):
            items = (f"{model}-{n}" for n in range(5))
            client.set(KEYS.list(1, model, user), ranked(*items).to_json())
    set_live(client, experiments=experiments or (HALVES,), models=models)


def set_live(client: Redis, **fields: Any) -> None:
    live = current(client, SHOP)
    assert live is not None
    changed = replace(live, **fields)
    client.set(KEYS.current, changed.to_json())
    record(client, changed)


def live_experiments(client: Redis) -> tuple[Experiment, ...]:
    """Return the experiments that the pointer has."""
    live = current(client, SHOP)
    assert live is not None
    return live.experiments
