"""`nightshelf experiment plan` as a command."""

import json
from pathlib import Path

from typer.testing import CliRunner

from nightshelf.cli.main import app
from tests.tasks.readout.logs import write_log
from tests.tasks.readout.test_plan import some_rows


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["experiment", "plan", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_a_rate_is_planned_for_in_lines_and_in_a_document() -> None:
    code, out, _ = run("--baseline", "0.05", "--lift", "0.10", "--daily-users", "5000")
    assert code == 0
    assert out.splitlines()[0].startswith("conversion from 0.05 to 0.055 (+10.0%)")
    assert "Users a variant: 31,234; of all 2 variants: 62,468" in out
    assert "Days: 13, at 5,000 new users a day" in out
    code, out, _ = run("--baseline", "0.05", "--lift", "0.10", "--variants", "3", "--json")
    found = json.loads(out)
    assert (code, found["n_variants"], found["days"]) == (0, 3, None)
    assert found["users"] == 3 * found["users_per_variant"] > 3 * 31_234


def test_a_log_is_planned_from(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.parquet", some_rows()[0])
    given = ("--from-log", str(log), "--as-of", "2026-03-12", "--log-days", "10")
    code, out, _ = run(*given, "--metric", "ctr", "--lift", "0.05", "--json")
    found = json.loads(out)
    assert (code, found["metric"], found["log_users"]) == (0, "ctr", 200)


def test_what_cannot_be_planned_is_refused(tmp_path: Path) -> None:
    code, _, err = run("--lift", "0.1")
    assert code == 2
    assert "give one of --baseline and --from-log" in err
    code, _, err = run("--baseline", "0.9", "--lift", "0.2")
    assert code == 2
    assert "both must lie between 0 and 1" in " ".join(err.replace("│", "").split())
    code, _, err = run("--from-log", str(tmp_path / "none"), "--lift", "0.2")
    assert code == 1
    assert "does not exist" in err
