"""`nightshelf evaluate`: tables, one JSON document, files under the run root, plain errors."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from data.sample_shop.shop import Shop, ShopSettings, make_shop
from nightshelf.cli.main import app

SHOP = ShopSettings(n_users=150, n_items=150, n_days=30)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"), SHOP)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NIGHTSHELF_TRAIN__FACTORS", "8")


def evaluate(shop: Shop, *options: object) -> Result:
    files = ["--events", shop.events, "--items", shop.items, "--users", shop.users]
    return CliRunner().invoke(app, ["evaluate", *map(str, [*files, *options])])


def test_tables_and_files(shop: Shop, tmp_path: Path) -> None:
    done = evaluate(shop, "--as-of", f"{SHOP.end:%Y-%m-%d}", "--namespace", "mine")
    assert done.exit_code == 0, done.output
    for title in ("By time: ", "Last event, by history: ", "Last event, by segment: ", "One aga"):
        assert title in done.stdout
    assert "category cap *" in done.stdout
    folder = tmp_path / "runs/evaluate/mine/1"
    kept = {path.name for path in folder.iterdir()}
    assert kept == {
        *("evaluation.json", "evaluation.md", "settings.json", "steps.jsonl"),
        "quarantine.parquet",
    }
    assert json.loads((folder / "settings.json").read_text())["train"]["factors"] == 8
    assert "## Last event, by history" in (folder / "evaluation.md").read_text()


def test_json_is_one_document(shop: Shop, tmp_path: Path) -> None:
    options = ("--protocol", "by-time", "--days", 5, "--max-users", 40, "--every-rule", "--json")
    done = evaluate(shop, "--as-of", f"{SHOP.end:%Y-%m-%d}", *options)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document == json.loads(Path("runs/evaluate/shop/1/evaluation.json").read_text())
    (judged,) = document["judgements"]
    assert (judged["protocol"], judged["n_users"], judged["list_length"]) == ("by-time", 40, 50)
    rules = [row["rule"] for row in judged["rows"] if row["model"] == "als"]
    assert rules == ["score alone", "category cap", "mmr", "exposure cap 10 %", "explore 1"]
    figures = judged["rows"][-1]["figures"]
    names = ("ndcg", "recall", "hit_rate", "reciprocal_rank", "average_precision")
    assert figures.keys() == {
        *(f"{name}_at_{k}" for name in names for k in (10, 50)),
        *("diversity", "novelty_bits"),
    }
    for each in figures.values():
        assert each["low"] <= each["mean"] <= each["high"]


def test_an_error_is_a_line_or_a_document(shop: Shop) -> None:
    done = evaluate(shop, "--as-of", "2027-06-01", "--protocol", "by-time")
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("nobody took to a new item in the last 7 days before 2027-06-01")
    assert "its events end on 2026-02-28" in line
    done = evaluate(shop, "--protocol", "later", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"].startswith("no protocol is named later; there are by-")
    absent = CliRunner().invoke(app, ["evaluate", "--events", "no", "--items", "no", "--json"])
    assert absent.exit_code == 1
    assert "no" in json.loads(absent.stdout)["error"]


def test_help_has_an_example() -> None:
    done = CliRunner().invoke(app, ["evaluate", "--help"])
    assert "nightshelf evaluate --events log/ --items items.parquet" in done.stdout
