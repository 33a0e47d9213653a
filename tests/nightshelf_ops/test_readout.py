"""`nightshelf experiment readout` as a command, on a log and a history of its own."""

from pathlib import Path

from typer.testing import CliRunner

from nightshelf.cli.main import app
from tests.e2e.test_readout import files


def test_a_readout_in_tables_and_one_that_is_not_there(tmp_path: Path) -> None:
    own, options = files(tmp_path)
    given = ("experiment", "readout", "--events", str(own.events), *options)
    done = CliRunner().invoke(app, [*given, "exp"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("b is better than a: conversion +")
    for title in ("Sample ratio", "Variants", "Comparisons", "Bayesian view", "By phase"):
        assert f"\n{title}: " in done.stdout
    assert "exp.html has this with its intervals drawn" in done.stdout.replace("\n", "")
    refused = CliRunner().invoke(app, [*given, "other"])
    assert refused.exit_code == 1
    assert "no experiment 'other' of shop in experiments.toml: exp" in refused.stderr
