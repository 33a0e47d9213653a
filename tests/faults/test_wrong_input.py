"""Fault 4: nights that went wrong upstream never reach a reader, and the last good one serves."""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
from redis import Redis

from data.sample_shop.shop import Shop, ShopSettings, make_shop
from nightshelf.admin.generations import current, listing
from tests.e2e.test_command import nightly

NAMESPACE = "gated"
SHOP = ShopSettings(n_users=400, n_items=200, n_days=30)
EVENTS = "Events read, duplicates too, of the live generation's night: "
WRONG = {
    "half": ("SELECT * FROM log WHERE hash(user_id) % 2 = 0", EVENTS),
    "twice": (
        "SELECT * REPLACE (event_id || n::VARCHAR AS event_id) FROM log, range(2) AS r(n)",
        EVENTS + "200 %, expected at least 70 % and at most 160 %",
    ),
}


def run(env: dict[str, str], shop: Shop, events: Path, root: Path) -> tuple[int, str]:
    files = ("--events", events, "--items", shop.items, "--users", shop.users)
    where = ("--namespace", NAMESPACE, "--as-of", SHOP.end.isoformat(), "--run-root", root)
    done = nightly(env | {"NIGHTSHELF_CHOOSE__HOLD": "true"}, *files, *where)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def write(root: Path, shop: Shop, sql: str) -> Path:
    wrong = root / "wrong.parquet"
    with duckdb.connect() as db:
        db.read_parquet(f"{shop.events}/*/*.parquet").create_view("log")
        db.sql(sql).write_parquet(str(wrong))
    return wrong


def test_a_log_gone_wrong_never_reaches_a_reader(
    prefect_env: dict[str, str],
    redis_url: str,
    redis_client: Redis,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    env = prefect_env | {"REDIS_URL": redis_url}
    shop = make_shop(tmp_path / "shop", SHOP)
    code, out = run(env, shop, shop.events, tmp_path)
    assert code == 0
    for words in ("Catalogue coverage", "A heavy user", "A stranger: nightshelf get nobody-yet"):
        assert words in out, "a night ends with its figures and three users' lists"
    assert f"nightshelf get USER -s {NAMESPACE}" in out
    assert f"Report: {tmp_path}/{NAMESPACE}/1/report.html" in out
    good = current(redis_client, NAMESPACE)
    assert good is not None

    code, out = run(env, shop, write(tmp_path, shop, "SELECT * FROM log LIMIT 0"), tmp_path)
    assert (code, current(redis_client, NAMESPACE)) == (1, good), "an empty log teaches nothing"
    assert "it holds no events" in out

    for number, (sql, said) in enumerate(WRONG.values(), start=2):
        code, out = run(env, shop, write(tmp_path, shop, sql), tmp_path)
        assert code == 1
        assert said in out.split("The night failed:")[1]
        assert "Traceback" not in out
        assert out.count("stays staged, the live one goes on") == 1, "an error is printed once"
        blocked = listing(redis_client, NAMESPACE)[0]
        assert (blocked.generation, blocked.state) == (number, "staged")
        assert "block" in blocked.gates.values()
        report = json.loads((tmp_path / NAMESPACE / str(number) / "report.json").read_text())
        assert report["night"]["state"] == "blocked"
        assert [gate["name"] for gate in report["gates"] if gate["outcome"] == "block"]
        serving = current(redis_client, NAMESPACE)
        assert serving is not None
        assert (serving.generation, serving.digest) == (good.generation, good.digest)
        assert serving.extended_at > good.extended_at, "a bad week never empties the shelf"

    assert run(env, shop, shop.events, tmp_path)[0] == 0, "the mended log goes live again"
    mended = current(redis_client, NAMESPACE)
    assert mended is not None
    assert (mended.generation, mended.digest) == (len(WRONG) + 2, good.digest)
    assert mended.metrics["jaccard"] == 1.0
    figure(
        4,
        f"an empty log teaches nothing; {', '.join(WRONG)}: {len(WRONG)} nights, {len(WRONG)} "
        "blocked by a gate; the last good one serves, its life extended; the mended log goes live",
    )
