"""Two shops of one checkout and one settings file; one of them names its events itself.

The second goes the whole way round: night, action, mask, stream, log, refresh, next night.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr
from redis import Redis

from data.sample_shop.shop import ShopSettings, make_shop
from nightshelf import Shelf
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList
from nightshelf.service import ServiceSettings
from tests.conftest import ROOT
from tests.lookup.service.calling import calling
from tests.lookup.shelves import UNKEPT, ids

SHOP = ShopSettings(n_users=60, n_items=150, n_days=10)
SETTINGS = """\
[inputs.events]
user_id = "customer"
[choose]
hold = true
[topn]
n = 20
[train]
iterations = 3

[namespace.books.topn]
n = 12
[namespace.books.inputs]
events = {}
[namespace.books.features]
seen = ["lend"]
[namespace.books.features.weights]
lend = 5.0
leaf_through = 1.0
"""
BOOKS = Keys("books")
PROGRAM = """\
import sys
from datetime import UTC, datetime
from pathlib import Path
from flows.collect import collect
from flows.nightly import nightly
from flows.refresh import refresh

root = Path(sys.argv[1])
config, runs, items = root / "shops.toml", root / "runs", root / "items.parquet"

def night(namespace, events, as_of):
    nightly(root / events, items, None, namespace, as_of, runs, config)

"""


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    """Make the files of two shops: one calls users customers, one has events of other names."""
    make_shop(tmp_path, SHOP)
    (tmp_path / "books").mkdir()
    (tmp_path / "shops.toml").write_text(SETTINGS)
    log = f"read_parquet('{tmp_path}/events/*/*.parquet', hive_partitioning = false)"
    duckdb.execute(
        f"COPY (SELECT * RENAME (user_id AS customer) FROM {log}) TO '{tmp_path}/shop.parquet'"
    )
    duckdb.execute(
        f"""COPY (SELECT * REPLACE (
            if(event_type = 'purchase', 'lend', 'leaf_through') AS event_type
        ) FROM {log} WHERE event_type IN ('purchase', 'view')) TO '{tmp_path}/books/log.parquet'"""
    )
    return tmp_path


def run(env: dict[str, str], root: Path, *lines: str) -> str:
    """Run flows in one process, which is a minute sooner than each in its own."""
    command = ["python", "-c", PROGRAM + "\n".join(lines), str(root)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def live(client: Redis, namespace: str) -> Manifest:
    value: Any = client.get(Keys(namespace).current)
    return Manifest.from_json(value)


def purchases(root: Path, generation: int) -> dict[str, int]:
    rows = pq.read_table(root / f"runs/books/{generation}/features/users.parquet")
    users, counts = rows["user_id"].to_pylist(), rows["total_purchases"].to_pylist()
    return dict(zip(users, counts, strict=True))


def listed(client: Redis, generation: int, user: str) -> set[str]:
    value: Any = client.get(BOOKS.list(generation, "blend", user))
    return set(RankedList.from_json(value).items)


def test_each_shop_has_its_settings_and_own_names_close_the_loop(
    prefect_env: dict[str, str],
    redis_url: str,
    redis_client: Redis,
    shops: Path,
) -> None:
    env = prefect_env | {"REDIS_URL": redis_url}
    as_of = f"datetime.fromisoformat('{SHOP.end.isoformat()}')"
    run(env, shops, f"night('shop', 'shop.parquet', {as_of})", f"night('books', 'books', {as_of})")
    for namespace, n, seen in (("shop", 20, "purchase"), ("books", 12, "lend")):
        manifest = live(redis_client, namespace)
        in_force = json.loads((shops / f"runs/{namespace}/1/settings.json").read_text())
        assert manifest.list_length == in_force["topn"]["n"] == n
        assert in_force["train"]["iterations"] == 3
        assert manifest.counting
        assert manifest.counting.weights == in_force["features"]["weights"]
        assert manifest.counting.purchases == (seen,)

    before = purchases(shops, 1)
    user = max(before, key=lambda name: (before[name], name))
    lent = act(redis_url, Shelf(redis_client, "books", settings=UNKEPT), user, before[user])
    said = run(
        env,
        shops,
        "print(*collect(root / 'books', 'books', config), sep='\\n')",
        "print(*refresh(root / 'books', 'books', runs, config))",
        "night('books', 'books', datetime.now(UTC))",
    )
    assert "events collected: 6 (files: " in said
    assert "of unknown type: 1 (purchase: 1; in no setting under [features])" in said
    assert "n_lists=2, n_new=1" in said
    assert live(redis_client, "books").generation == 2
    after = purchases(shops, 2)
    assert (after[user], after["newcomer"]) == (before[user] + 3, 1)
    for generation in (1, 2):  # as the refresh wrote it, and as the next night did
        assert listed(redis_client, generation, user).isdisjoint(lent)
        assert lent[0] not in listed(redis_client, generation, "newcomer")


def act(redis_url: str, shelf: Shelf, user: str, n_before: int) -> list[str]:
    """Lend three items, by each way that there is; return them. One other action is unknown."""
    first, second, third, fourth = ids(shelf.get(user, 4))
    receipt = shelf.acted(user, "lend", first)
    assert (receipt.recorded, receipt.unknown_types) == (True, ())
    assert first not in ids(shelf.get(user, 12))
    settings = ServiceSettings(redis_url=SecretStr(redis_url), namespace="books", deadline_s=5)
    with calling(settings) as client:
        said = {"user_id": user, "item_id": second, "action": "lend"}
        assert client.post("/track/action", json=said).status_code == 202
        said = {"user_id": user, "item_id": third}
        assert client.post("/track/conversion", json=said).status_code == 202
        said = {"user_id": user, "item_id": fourth, "action": "purchase"}
        assert client.post("/track/action", json=said).json()["unknown_types"] == ["purchase"]
        row = client.get(f"/users/{user}/features").json()["features"]
    assert row["total_purchases"] == n_before + 3
    assert {first, second, third}.isdisjoint(ids(shelf.get(user, 12)))
    shelf.acted("newcomer", "lend", first)
    shelf.acted("newcomer", "leaf_through", second)
    return [first, second, third]
