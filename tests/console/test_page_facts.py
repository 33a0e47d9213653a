"""Facts of the catalogue, items, experiments and settings, against definitions and real records."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis

from nightshelf.admin.blocklist import block
from nightshelf.contract.chosen_blend import ChosenBlend
from nightshelf.contract.experiment import Experiment, Variant
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.service.console import catalogue as files
from nightshelf.service.console import pipeline
from nightshelf.service.console.experiment_facts import read_experiments
from nightshelf.service.console.item_facts import read_item
from nightshelf.service.console.settings_facts import HIDDEN, night_settings, service_settings
from nightshelf.service.problems import Problem
from nightshelf.service.settings import ApiKey, ServiceSettings
from tasks.readout.read_out import read_out
from tasks.readout.save import save
from tests.console.inspected import CATALOGUE, catalogue, write_rows
from tests.lookup.shelves import SHOP, publish, ranked
from tests.tasks.readout.simulated import DEFINITION
from tests.tasks.readout.test_read_out import SETTINGS, UNTIL, some_traffic, source

KEYS = Keys(SHOP)
ROWS = catalogue(200)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "catalogue.parquet", ROWS, CATALOGUE)


def test_figures_of_the_catalogue(file: Path) -> None:
    available = [row for row in ROWS if row["available"]]
    found = files.summary(file)
    assert found["n_items"] == len(ROWS)
    assert found["n_shown"] == sum(bool(row["n_lists"]) for row in available)
    assert found["n_new_places"] == sum(row["n_lists"] for row in ROWS if row["is_new"])
    n_places = sum(row["n_lists"] for row in ROWS)
    assert found["n_places"] == n_places
    for each in files.categories(file):
        name = None if each["category"] == "unknown" else each["category"]
        own = [row for row in ROWS if row["category"] == name]
        offered = [row for row in own if row["available"]]
        assert each["n_items"] == len(own)
        assert each["coverage"] == sum(bool(row["n_lists"]) for row in offered) / len(offered)
        assert each["share_of_places"] == sum(row["n_lists"] for row in own) / n_places
    shares = [each["share_of_events"] for each in files.categories(file)]
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("view", files.VIEWS)
def test_pages_of_items(file: Path, view: str) -> None:
    blocked = ("evil", "i001", "gone")
    wanted = {
        "most": lambda row: row["n_lists"] > 0,
        "never": lambda row: row["n_lists"] == 0 and row["available"],
        "new": lambda row: row["is_new"],
        "cold": lambda row: row["is_cold"],
        "unavailable": lambda row: not row["available"],
        "blocked": lambda row: row["item_id"] in blocked,
    }[view]
    by = "n_events" if view in ("never", "unavailable") else "n_lists"
    expected = sorted(filter(wanted, ROWS), key=lambda row: (-row[by], row["item_id"]))
    seen: list[files.Row] = []
    first: int | None = 0
    while first is not None:
        page = files.items(file, view, first, blocked)
        assert page.n == len(expected)
        seen += page.rows
        first = page.next_at
    assert seen == expected
    assert files.items(file, view, 0, blocked).previous_at is None


def test_search_is_by_title_in_any_case(file: Path) -> None:
    found = files.search(file, "lamp 1")
    titled = [row for row in ROWS if "lamp 1" in row["title"].lower()]
    expected = sorted(titled, key=lambda row: (row["title"].lower(), row["item_id"]))
    assert list(found) == expected[: files.HITS]
    assert len(expected) > files.HITS
    assert [row["item_id"] for row in files.search(file, "i007")] == ["i007"]
    assert files.search(file, "%") == ()
    assert files.one(file, "i007") in ROWS
    assert files.one(file, "nothing") is None


def test_a_new_file_is_read_and_a_damaged_one_refused(file: Path) -> None:
    assert files.summary(file)["n_items"] == len(ROWS)
    write_rows(file, ROWS[:5], CATALOGUE)
    assert files.summary(file)["n_items"] == 5
    file.write_bytes(b"no parquet")
    with pytest.raises(Problem) as refused:
        files.summary(file)
    assert refused.value.status == 503
    assert str(refused.value).startswith("catalogue.parquet cannot be read: ")


def test_an_items_facts(redis_client: Redis) -> None:
    publish(redis_client)
    facts = read_item(redis_client, SHOP, "A1")
    assert (facts.named.title, facts.named.category) == ("Lamp 1", "Lamps")
    assert facts.similar is not None
    assert [each.reason for each in facts.similar] == ["like Lamp 1"] * 2
    assert (facts.known, facts.is_blocked, facts.marks) == (True, False, ())
    update = {"title": "Lamp 1", "popularity_score": 4.0, "avg_rating": None, "num_ratings": 0}
    redis_client.set(KEYS.item(1, "A1"), json.dumps({**update, "popularity_score": 1.0}))
    redis_client.set(KEYS.item_update("A1"), json.dumps({**update, "as_of": ""}))
    block(redis_client, SHOP, ["A1"])
    redis_client.sadd(KEYS.unavailable, "A1")
    facts = read_item(redis_client, SHOP, "A1")
    assert facts.marks == ("blocked", "unavailable")
    changed = {each.name: (each.night, each.now) for each in facts.fields if each.changed}
    assert changed == {"popularity_score": (1.0, 4.0)}
    redis_client.set(KEYS.similar(1, "new"), ranked("A1").to_json())
    facts = read_item(redis_client, SHOP, "new")
    assert (facts.known, len(facts.similar or ())) == (False, 1)


def test_a_real_readout(tmp_path: Path) -> None:
    own = source(tmp_path, some_traffic(1_500))
    record = read_out(DEFINITION, own, SETTINGS, UNTIL)
    save(record, own.history.folder, SHOP)
    variants = (Variant("a", "blend", ((0, 5_000),)), Variant("b", "als", ((5_000, 10_000),)))
    exp = Experiment("exp", 1, ((0, 2_500),), variants)
    (found,) = read_experiments([exp], tmp_path / SHOP, UNTIL)
    assert (found.state, found.traffic_percent) == ("running", 25)
    assert found.allocation == (("a", 0.5), ("b", 0.5))
    assert found.readout is not None
    first, *others = found.readout.metrics
    assert (first.name, first.role, first.verdicts) == ("conversion", "primary", {"b": "better"})
    expected = [
        (each.variant, each.low, each.value, each.high)
        for each in record.values
        if each.metric == "conversion"
    ]
    assert list(first.values) == expected
    (figure,) = (each for each in record.figures if each.metric == "conversion")
    assert first.differences == (("b", figure.best.low, figure.best.difference, figure.best.high),)
    assert {each.name for each in others} == {"ctr", "revenue"}
    assert not any(each.verdicts for each in others)
    (own.history.folder / "exp.json").write_text("{}")
    (found,) = read_experiments([exp], tmp_path / SHOP, UNTIL)
    assert (found.readout, found.missing) == (None, "exp.json cannot be read: 'values'")


def test_an_experiments_id_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "other.json").write_text("{}")
    exp = Experiment("../other", 1, (), (Variant("a", "als"),))
    (found,) = read_experiments([exp], tmp_path, UNTIL)
    assert found.missing.startswith("There is no readout yet")


def test_settings_of_the_night(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    given = {
        "topn": {"n": 50, "max_per_category": 2, "to_come": [1]},
        "blend": {"als": 0.5, "factors": "ials"},
        "features": {"seen": ["purchase", "like", "rating", "dislike", "return"]},
        "alerts": {"addresses": ["mail://me:pass@host"], "hook_token": "t0ken"},
        "watch": {"notify": ["slack://pass"], "service_key": "pass"},
    }
    (folder / "settings.json").write_text(json.dumps(given))
    choice = ChosenBlend({"als": 0.5}, {}, held=False)
    found = night_settings(Manifest(1, "", choice=choice), tmp_path, pipeline.defaults())
    by_name = {each.name: (each.value, each.default, each.source) for each in found.rows}
    assert by_name["n"] == ("50", None, "default")
    assert by_name["max_per_category"] == ("2", "3", "set")
    assert by_name["als"] == ("0.5", "1.0", "chosen")
    assert by_name["to_come"] == ("[1]", None, "")
    assert by_name["seen"][2] == "default", "a tuple and a list are equal"
    for name in ("hook_token", "addresses", "notify", "service_key"):
        assert by_name[name][0] == HIDDEN
    assert "pass" not in repr(found) and "t0ken" not in repr(found)
    unknown = night_settings(Manifest(1, ""), tmp_path, None)
    assert not unknown.knows_defaults
    assert {each.source for each in unknown.rows} == {""}
    assert "no settings.json" in night_settings(Manifest(2, ""), tmp_path, None).missing
    assert "runs_dir" in night_settings(Manifest(1, ""), None, None).missing
    assert night_settings(None, tmp_path, None).missing == "Nothing is live."


def test_settings_of_the_service() -> None:
    url = "redis://me:swordfish@127.0.0.1:1/0"
    key = ApiKey(sha256="0" * 64, scopes=frozenset({"read"}))
    settings = ServiceSettings(redis_url=SecretStr(url), keys={"app": key}, max_per_s=7)
    found = {each.name: each for each in service_settings(settings)}
    assert "swordfish" not in repr(found) and "0" * 64 not in repr(found)
    assert found["redis_url"].value == HIDDEN
    assert found["keys"].value == '{"app": ["read"]}'
    assert (found["max_per_s"].value, found["max_per_s"].default) == ("7", "1000")
    assert found["console_secret"].value == "not set"
    assert found["deadline_s"].source == "default"


def test_without_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "part", lambda _: None)
    found = pipeline.trace(Redis(), SHOP, Path(), "ann", None)
    assert "pipeline is not installed" in found["missing"]
    assert found["steps"] == found["rules"] == (), "a page finds all parts"
    assert pipeline.defaults() is None
    monkeypatch.undo()
    assert "runs_dir" in pipeline.trace(Redis(), SHOP, None, "ann", None)["missing"]
