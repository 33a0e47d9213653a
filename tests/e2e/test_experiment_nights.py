"""Nights with an experiment: variants' lists, a failed model, the default as it was."""

import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from redis import Redis

from data.sample_shop.shop import Shop, ShopSettings, make_shop
from nightshelf import Shelf
from nightshelf.admin import generations
from nightshelf.contract.experiment import Experiment
from nightshelf.contract.keys import Keys
from tests.conftest import ROOT
from tests.lookup.shelves import UNKEPT

SHOP = ShopSettings(n_users=80, n_items=150, n_days=14)
SETTINGS = """\
[choose]
hold = true
[topn]
n = 20
[gates]
jaccard_min = 0.0
"""
#: No catalogue is that small: the model fails in training.
FAILS = "\n[ease]\nmax_items = 10\n"
EXPERIMENTS = """\
[experiment.which-model]
hypothesis = "a model alone brings more buyers than the blend"
status = "running"
start = 2026-01-01
primary = "conversion"
namespaces = ["tried"]
variants = [
    { name = "control", model = "blend" },
    { name = "als", model = "als" },
    { name = "ease", model = "ease" },
]
"""
PROGRAM = """\
import sys
from datetime import datetime, timedelta
from pathlib import Path
from flows.nightly import nightly

root, shop = Path(sys.argv[1]), Path(sys.argv[2])
end = datetime.fromisoformat(sys.argv[3])

def night(namespace, days_ago=0, config="plain.toml"):
    files = (shop / "events", shop / "items.parquet", shop / "users.parquet")
    as_of = end - timedelta(days=days_ago)
    nightly(*files, namespace, as_of, root / "runs", root / config)

"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"), SHOP)


@pytest.fixture
def nights(
    prefect_env: dict[str, str], redis_url: str, redis_client: Redis, shop: Shop, tmp_path: Path
) -> Any:
    """Return a function that runs the lines of a program of nights in one process."""
    redis_client.flushdb()
    (tmp_path / "plain.toml").write_text(SETTINGS)
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing/failing.toml").write_text(SETTINGS + FAILS)
    for folder in (tmp_path, tmp_path / "failing"):
        (folder / "experiments.toml").write_text(EXPERIMENTS)

    def run(*lines: str) -> str:
        env = prefect_env | {"REDIS_URL": redis_url}
        where = (str(tmp_path), str(shop.events.parent), SHOP.end.isoformat())
        command = ["python", "-c", PROGRAM + "\n".join(lines), *where]
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run


def report(root: Path, namespace: str, generation: int) -> Any:
    return json.loads((root / f"runs/{namespace}/{generation}/report.json").read_text())


def models(experiment: Experiment) -> dict[str, str]:
    return {each.name: each.model for each in experiment.variants}


def test_a_failing_model_is_left_out_and_the_default_is_as_it_was(
    nights: Any, redis_client: Redis, tmp_path: Path
) -> None:
    said = nights(
        "night('plain', 1)",
        "night('tried', 1, 'failing/failing.toml')",
        "night('tried')",
        "night('plain')",
    )
    lost = "model ease is left out tonight, and the default is served for it"
    assert lost in said, "the log of the night says it"

    first, second = sorted(
        generations.listing(redis_client, "tried"), key=lambda each: each.generation
    )
    assert (first.models, second.models) == (("blend", "als"), ("blend", "als", "ease"))
    assert (first.metrics["models_left_out"], second.metrics["models_left_out"]) == (1, 0)
    (failing,), (whole,) = first.experiments, second.experiments
    assert models(failing) == {"control": "blend", "als": "als", "ease": "blend"}
    assert models(whole) == {"control": "blend", "als": "als", "ease": "ease"}
    assert (failing.phase, whole.phase) == (1, 1), "users keep their variant"
    assert [v.buckets for v in failing.variants] == [v.buckets for v in whole.variants]

    facts = report(tmp_path, "tried", 1)
    assert any(lost in each and "MAX_ITEMS" in each for each in facts["warnings"])
    assert any("variant ease is served blend, the default" in each for each in facts["warnings"])
    assert [row["model"] for row in facts["models"]] == ["blend", "als", "ease"]
    page = (tmp_path / "runs/tried/1/report.html").read_text()
    assert "Models and experiments" in page
    assert "which-model" in page

    plain = generations.listing(redis_client, "plain")[0]
    assert (plain.models, plain.experiments) == (("blend",), ())
    assert "models_left_out" not in plain.metrics
    assert "Models and experiments" not in (tmp_path / "runs/plain/2/report.html").read_text()
    for number in (1, 2):  # the default's lists are those of a night without experiments
        for name in ("lists/lists", "lists/popular", "lists/similar", "features/users"):
            one, other = (
                (tmp_path / f"runs/{namespace}/{number}/{name}.parquet").read_bytes()
                for namespace in ("plain", "tried")
            )
            assert one == other

    shelf = Shelf(redis_client, "tried", settings=UNKEPT)
    users = pq.read_table(tmp_path / "runs/tried/2/lists/lists.parquet")["key"].to_pylist()
    served = {user: shelf.get(user, 20) for user in users}
    assert {each.model for each in served.values()} == {"blend", "als", "ease"}
    for user, result in served.items():
        variant = whole.variant_of(user)
        assert (result.experiment, result.variant) == ("which-model", variant.name)
        assert result.model == variant.model
        name = Keys("tried").list(2, variant.model, user)
        assert redis_client.exists(name)

    files = f"{tmp_path}/runs/tried/experiments"
    rows = duckdb.execute(
        f"SELECT generation, variant, served FROM '{files}/allocations.parquet' "
        "WHERE variant = 'ease' ORDER BY generation"
    ).fetchall()
    assert rows == [(1, "ease", "blend"), (2, "ease", "ease")]
