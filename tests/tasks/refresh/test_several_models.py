"""A generation of several models: refresh, erasure, wholeness and republishing of all lists."""

from pathlib import Path

import pytest
from redis import Redis

from nightshelf import Shelf
from nightshelf.admin import generations
from nightshelf.admin.erasure import forget
from nightshelf.admin.wholeness import lack
from nightshelf.contract.experiment import Experiment, Variant
from tasks.errors import RunFolderError
from tasks.publish.republish import republish
from tasks.publish.settings import PublishSettings
from tasks.refresh.served_generation import open_served
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import SavedRun
from tests.lookup.experiments import set_live
from tests.lookup.shelves import UNKEPT
from tests.nightshelf_ops.night import contents, make_night
from tests.tasks.refresh.collected_events import Action, at, collect, refresh, wait

MORNING: list[Action] = [
    ("u00", "i10", "like", at(60)),
    ("u05", "i02", "view", at(70)),
    ("new", "i05", "like", at(80)),
]
MODELS = ("als", "graph")


def lists_of(client: Redis, model: str) -> dict[str, object]:
    """Return a model's lists by the end of their key."""
    start = f"list:{model}:"
    found = contents(client, 1).items()
    return {key.removeprefix(start): value for key, value in found if key.startswith(start)}


def morning(client: Redis, root: Path, default: str, *further: str) -> Run:
    """Make a night of models and refresh it after a morning."""
    client.flushdb()
    run = make_night(client, root, model=default, further=further)
    collect(root / "events", *MORNING)
    wait(client, *MORNING)
    (done,) = refresh(client, root)
    assert (done.n_lists, done.n_new, done.n_queued) == (3, 1, 0)
    return run


def test_each_model_is_refreshed_as_if_it_were_alone(redis_client: Redis, tmp_path: Path) -> None:
    alone = {}
    for model in MODELS:
        morning(redis_client, tmp_path / model, model)
        alone[model] = lists_of(redis_client, model)
        assert "{new}" in alone[model]
    assert alone["als"] != alone["graph"]

    morning(redis_client, tmp_path / "both", *MODELS)
    assert {model: lists_of(redis_client, model) for model in MODELS} == alone
    live = generations.current(redis_client, "shop")
    assert live
    assert (live.models, live.counts["list"]) == (MODELS, 2 * (len(alone["als"]) - 1))
    assert lack(redis_client, "shop", live) is None, "the new user's keys are counted"

    found, left = forget(redis_client, "shop", "new")
    assert sum(":list:" in key for key in found.keys) == len(MODELS)
    assert not left
    assert not any("{new}" in lists_of(redis_client, model) for model in MODELS)
    assert lack(redis_client, "shop", live) is None


def test_a_refresh_keeps_variants_and_recomputes_their_lists(
    redis_client: Redis, tmp_path: Path
) -> None:
    redis_client.flushdb()
    make_night(redis_client, tmp_path, model="als", further=("graph",))
    halves = (Variant("now", "als", ((0, 5_000),)), Variant("links", "graph", ((5_000, 10_000),)))
    set_live(redis_client, experiments=(Experiment("exp-3", 1, ((0, 10_000),), halves),))
    shelf = Shelf(redis_client, "shop", settings=UNKEPT)
    users = ["new", *(f"u{number:02d}" for number in range(12))]
    before = dict(zip(users, shelf.get_many(users), strict=True))
    collect(tmp_path / "events", *MORNING)
    wait(redis_client, *MORNING)
    refresh(redis_client, tmp_path)
    after = dict(zip(users, shelf.get_many(users), strict=True))
    assert {each.variant for each in after.values()} == {"now", "links"}
    for user, result in after.items():
        assert result.assignment == before[user].assignment
        assert result.assignment
        assert result.model == result.assignment.model
    changed = {user for user in users if after[user].items != before[user].items}
    assert changed == {user for user, *_ in MORNING}
    assert {after[user].variant for user in changed} == {"now", "links"}


def test_a_refresh_needs_each_model(redis_client: Redis, tmp_path: Path) -> None:
    run = make_night(redis_client, tmp_path, further=("graph",))
    (run.folder / "model/graph/links.npz").unlink()
    with pytest.raises(RunFolderError, match=r"lacks model/graph/links\.npz"):
        open_served(redis_client, "shop", tmp_path)


def test_republishing_brings_all_models_back(redis_client: Redis, tmp_path: Path) -> None:
    run = make_night(redis_client, tmp_path, further=("graph",))
    before = contents(redis_client, 1)
    redis_client.flushdb()
    live = republish(redis_client, SavedRun.open(run.folder), PublishSettings())
    assert live.models == MODELS
    assert contents(redis_client, live.generation) == before
    (tmp_path / "shop/2/lists/graph/lists.parquet").unlink()
    with pytest.raises(RunFolderError, match=r"lacks lists/graph/lists\.parquet"):
        republish(redis_client, SavedRun.open(tmp_path / "shop/2"), PublishSettings(), force=True)
