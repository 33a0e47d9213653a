"""`nightshelf init` on logs as others publish them: every event kept, without a question."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from redis import Redis
from typer.testing import CliRunner, Result

from benchmarks._log import MadeLog
from benchmarks._night_steps import Clock, whole_night
from nightshelf.admin.generations import current
from nightshelf.cli.main import app
from nightshelf_ops.init.findings import MAX_QUESTIONS
from tasks.settings import load_settings
from tests.lookup.shelves import SHOP
from tests.nightshelf_ops.init import logs


@dataclass(frozen=True)
class Form:
    """A log to make in a folder, and the conclusions on it."""

    make: Callable[[Path], int]
    user: str
    item: str
    types: dict[str, float]
    seen: tuple[str, ...]
    category: str
    imported: bool = True
    answers: tuple[str, ...] = ()


FORMS = {
    "RetailRocket": Form(
        *(logs.retail_rocket, "visitorid", "itemid"),
        {"transaction": 5.0, "addtocart": 3.0, "view": 1.0},
        *(("transaction",), "column"),
    ),
    "YooChoose": Form(
        *(logs.yoochoose, "column_1", "column_3"),
        {"purchase": 5.0, "click": 1.0},
        *(("purchase",), "none"),
    ),
    "Instacart": Form(
        *(logs.instacart, "user_id", "product_id", {"purchase": 5.0}, (), "column"),
        answers=("ended=2025-01-01",),
    ),
    "Last.fm": Form(
        *(logs.last_fm, "column_1", "column_5", {"view": 1.0}, (), "column"),
    ),
    "Last.fm without times": Form(
        *(logs.last_fm_360k, "column_1", "column_2", {"view": 1.0}, (), "title"),
    ),
    "Amazon": Form(
        *(logs.amazon, "reviewerID", "asin"),
        {"like": 4.0, "rating": 1.0, "dislike": -3.0},
        *(("like", "rating", "dislike"), "column"),
    ),
    "German": Form(
        *(logs.german, "Kunde", "Artikelnr", {"purchase": 5.0}, ("purchase",), "column"),
        answers=("zone=Europe/Berlin",),
    ),
    "DuckDB": Form(
        lambda folder: logs.duckdb_file(folder / "shop.duckdb"),
        *("customer_id", "product_id", {"purchase": 5.0}, ("purchase",), "column"),
    ),
    "SQLite": Form(
        lambda folder: logs.sqlite_file(folder / "shop.sqlite"),
        *("customer_id", "product_id", {"purchase": 5.0}, ("purchase",), "column"),
    ),
    "partitions": Form(
        *(logs.partitions, "customer", "sku"),
        {"order": 5.0, "basket": 3.0, "page": 1.0},
        *(("order",), "column"),
        imported=False,
    ),
}


def call(*arguments: str | Path, stdin: str = "") -> Result:
    command = ["init", *map(str, arguments)]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200"}, input=stdin)


def document(*arguments: str | Path) -> dict[str, Any]:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def finding(found: dict[str, Any], subject: str) -> str:
    (value,) = {each["value"] for each in found["findings"] if each["subject"] == subject}
    return str(value)


@dataclass(frozen=True)
class Done:
    """A log that was imported: its number of events, the document, the folder of its settings."""

    n_events: int
    found: dict[str, Any]
    source: Path
    home: Path

    def rows(self, file: int) -> list[dict[str, Any]]:
        """Return the rows of a file: 0 events, 1 items, 2 users."""
        found: list[dict[str, Any]] = pq.read_table(
            self.home / self.found["files"][file]
        ).to_pylist()
        return found

    def by_id(self) -> dict[str, dict[str, Any]]:
        return {row["item_id"]: row for row in self.rows(1)}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Done]:
    """Return the import of a form; each is done once."""

    @cache
    def run(name: str) -> Done:
        folder = tmp_path_factory.mktemp("form")
        source, home = folder / "log", folder / "home"
        source.mkdir()
        home.mkdir()
        n_events = FORMS[name].make(source)
        with chdir(home):
            given = [f"--answer={answer}" for answer in FORMS[name].answers]
            return Done(n_events, document(source, "--yes", *given), source, home)

    return run


@pytest.mark.parametrize("name", FORMS)
def test_a_log_of_a_known_form(name: str, imported: Callable[[str], Done]) -> None:
    form, done = FORMS[name], imported(name)
    found = done.found
    assert (finding(found, "user"), finding(found, "item")) == (form.user, form.item)
    assert found["category_from"] == form.category
    assert found["imported"] == form.imported
    assert len(found["questions"]) <= MAX_QUESTIONS
    assert not found["errors"]

    assert found["log"]["events"] == done.n_events
    if form.imported:
        events = done.rows(0)
        assert len(events) == done.n_events
        assert {row["item_id"] for row in events} <= done.by_id().keys()
    settings = load_settings("shop", done.home / "nightshelf.toml").features
    weights = {kind: weight for kind, weight in settings.weights.items() if kind in form.types}
    assert weights == form.types
    assert settings.seen == form.seen


@pytest.mark.parametrize("name", FORMS)
def test_the_first_night_goes_live(
    name: str, imported: Callable[[str], Done], redis_client: Redis, tmp_path: Path
) -> None:
    """The night of the printed command, step by step: it raises where a gate blocks it."""
    done = imported(name)
    settings = load_settings(SHOP, done.home / "nightshelf.toml")
    as_of = datetime.fromisoformat(done.found["as_of"]).replace(tzinfo=UTC)
    events, items, *users = (done.home / file for file in done.found["files"])
    log = MadeLog(events, items, users[0] if users else None)
    whole_night(Clock(), log, tmp_path / "runs", redis_client, settings, as_of)
    manifest = current(redis_client, "benchmark")
    assert manifest is not None
    assert sum(manifest.counts.values()) > logs.N_ITEMS


def test_retail_rocket(imported: Callable[[str], Done]) -> None:
    """Times are to the millisecond, the newest category counts, properties' items are all."""
    done = imported("RetailRocket")
    events = done.rows(0)
    assert Counter(each["ts"].microsecond for each in events) == {117_000: len(events)}
    items = done.by_id()
    assert len(items) == logs.N_ITEMS
    assert items["7"]["category"] == str(1000 + logs.category(7))
    assert not items["10"]["available"]
    assert items["7"]["available"]
    lone = items[str(logs.N_ITEMS - 1)]
    assert (lone["category"], lone["available"]) == ("unknown", False)
    assert "category_tree.csv" in done.found["tables"]["left_out"]


def test_instacart(imported: Callable[[str], Done]) -> None:
    """Days since the order before become times, departments names, and repeats are shown again."""
    done = imported("Instacart")
    last: dict[str, Any] = {}
    for row in done.rows(0):
        last[row["user_id"]] = max(last.get(row["user_id"], row["ts"]), row["ts"])
    assert {f"{each:%Y-%m-%d}" for each in last.values()} == {"2024-12-31"}
    item = done.by_id()["5"]
    assert (item["category"], item["title"]) == ("department 4", "Product 4, the best")
    assert done.found["as_of"] == "2025-01-01"
    assert "may be shown again" in (done.home / "nightshelf.toml").read_text()


def test_gaps_between_orders_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two orders of a user lie apart by the days that the later one names."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "orders.csv").write_text(
        "order_id,user_id,order_number,order_hour_of_day,days_since_prior_order\n"
        "1,1,1,08,\n2,1,2,10,7.0\n3,1,3,09,30.0\n"
    )
    (folder / "order_products__prior.csv").write_text("order_id,product_id\n1,5\n2,6\n3,5\n3,7\n")
    found = document(folder, "--yes", "--answer", "ended=2025-03-01")
    times = sorted({row["ts"] for row in pq.read_table(found["files"][0]).to_pylist()})
    assert [f"{each:%m-%d %H}" for each in times] == ["01-22 08", "01-29 10", "02-28 09"]


def test_last_fm(imported: Callable[[str], Done]) -> None:
    done = imported("Last.fm")
    (rows,) = done.found["rows"]
    assert rows["read"] == rows["kept"] + rows["refused"][0]["count"]
    assert rows["refused"][0]["reason"] == "no item_id"
    items = done.rows(1)
    assert {item["title"] for item in items} >= {'7" of track 3', "Track number 4"}
    assert {item["category"] for item in items} == {f"The Artist {n}" for n in range(30)}


def test_amazon(imported: Callable[[str], Done]) -> None:
    """Prices are text, and the level of the path that tells items apart is the category."""
    item = imported("Amazon").by_id()["B00007"]
    assert (item["title"], item["price"], item["category"]) == ("Thing 7", 7.5, "Group 7")
    assert item["tags"] == ["Shop", "Group 7", "Kind 7"]


def test_german(imported: Callable[[str], Done]) -> None:
    done = imported("German")
    event, first = done.rows(0)[0], logs.acts()[0]
    assert event["ts"].timestamp() == first.at.timestamp() // 1 - 3600  # Berlin in winter
    price = first.item // 3 + (first.item % 10) / 10 + 0.09
    assert event["value"] == pytest.approx((1 + first.item % 3) * price)
    item = done.by_id()[str(10000 + first.item)]
    assert item["title"] == f"Stück {first.item}"
    assert item["category"] == f"Kategorie {logs.category(first.item)}"


def test_a_night_reads_partitions_as_they_are(imported: Callable[[str], Done]) -> None:
    done = imported("partitions")
    assert done.found["files"] == [str(done.source / "events"), str(done.source / "items.parquet")]
    assert load_settings("shop", done.home / "nightshelf.toml").inputs.events == {
        **{"user_id": "customer", "item_id": "sku", "event_type": "action", "ts": "occurred_at"}
    }
    assert [path.name for path in done.home.iterdir()] == ["nightshelf.toml"]


def test_users_have_segments(imported: Callable[[str], Done]) -> None:
    users = imported("SQLite").rows(2)
    assert Counter(user["segment"] for user in users) == {"DE": 54, "FR": 53, "UK": 53}


def test_titles_that_share_one_word_give_no_categories(imported: Callable[[str], Done]) -> None:
    """One category for all would leave three items to a page."""
    done = imported("Last.fm without times")
    assert {item["category"] for item in done.rows(1)} == {"unknown"}
    assert "their titles share too few words" in json.dumps(done.found)
