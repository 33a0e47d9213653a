"""`nightshelf tune`: what it prints and writes, and what it leaves alone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nightshelf.cli.main import app
from nightshelf_ops.tune import document
from tasks.settings import load_settings
from tests.tasks.logs import AS_OF
from tests.tasks.tuning.test_tune import made, make_files

#: Settings in which the model can only learn noise, so that a search finds better ones.
POOR = {"NIGHTSHELF_TRAIN__FACTORS": "16", "NIGHTSHELF_TRAIN__ITERATIONS": "1"}
POOR |= {"NIGHTSHELF_TRAIN__REGULARIZATION": "5.0", "NIGHTSHELF_TRAIN__ALPHA": "0.25"}
FEW = {"NIGHTSHELF_CHOOSE__LEAST_JUDGED": "10"}


def call(root: Path, *more: str) -> Result:
    files = ("--events", str(root / "events.parquet"), "--items", str(root / "items.parquet"))
    terms = ("--as-of", f"{AS_OF:%Y-%m-%d}", "--days", "5", "--run-root", str(root / "runs"))
    environment = {"COLUMNS": "120", **POOR, **FEW}
    return CliRunner().invoke(app, ["tune", *files, *terms, *more], env=environment)


def test_a_search_writes_its_own_file_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_files(tmp_path)
    done = call(tmp_path, "--trials", "4", "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert len(facts["trials"]) == 4
    assert "trial 3: " in done.stderr
    written = tmp_path / "nightshelf.tuned.toml"
    assert facts["file"] == ("nightshelf.tuned.toml" if facts["better"] else None)
    assert written.exists() == facts["better"]
    assert facts["better"] == (facts["gain"]["mean"] > 0)
    if facts["better"]:
        assert load_settings("shop", written).ials.alpha == facts["values"]["ials.alpha"]

    written.write_text("mine")
    refused = call(tmp_path, "--trials", "5")
    assert refused.exit_code == 1
    assert "--force overwrites it" in refused.stderr
    assert written.read_text() == "mine"
    on = call(tmp_path, "--trials", "5", "--out", "more.toml")
    assert on.exit_code == 0, on.output
    assert "trial 4: " in on.stderr
    assert "trial 3: " not in on.stderr, "earlier trials are not computed again"
    assert "Chosen from 5 trials" in on.stdout
    assert not (tmp_path / "nightshelf.toml").exists()


def test_errors_are_one_line_before_any_work(tmp_path: Path) -> None:
    done = call(tmp_path, "--out", str(tmp_path / "out.toml"))
    assert done.exit_code == 1
    assert "events.parquet does not exist" in " ".join(done.stderr.split())
    assert not (tmp_path / "runs").exists()


def test_the_document_names_the_file_that_was_written() -> None:
    assert document(made(), Path("a.toml"))["file"] == "a.toml"
    assert document(made(gain=-0.01), Path("a.toml"))["file"] is None


def test_help_has_an_example() -> None:
    assert "Example: nightshelf tune --events" in CliRunner().invoke(app, ["tune", "--help"]).stdout
