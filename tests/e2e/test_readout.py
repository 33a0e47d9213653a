"""A readout of a log by the flow and by the command: the same verdict, saved once."""

import json
import subprocess
from pathlib import Path

from tasks.readout.read_out import Source
from tasks.readout.save import read_rows
from tests.conftest import ROOT
from tests.tasks.readout.logs import shown
from tests.tasks.readout.test_read_out import UNTIL, some_traffic, source

TOML = """[experiment.exp]
hypothesis = "b sells more"
status = "running"
primary = "conversion"
start = 2026-03-02
variants = [{ name = "a", model = "blend" }, { name = "b", model = "als" }]
"""


def files(folder: Path, *, broken: bool = False) -> tuple[Source, tuple[str, ...]]:
    """Write experiments, history and log; return the options that name them."""
    lost = [shown(f"v{at}", "a", 1) for at in range(400 * broken)]
    own = source(folder, [*some_traffic(1_000), *lost])
    (folder / "experiments.toml").write_text(TOML)
    (folder / "nightshelf.toml").write_text("")
    config = ("--config", str(folder / "nightshelf.toml"), "--run-root", str(folder))
    return own, (*config, "--as-of", f"{UNTIL:%Y-%m-%d}")


def run(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["python", "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_flow_and_command_say_the_same(prefect_env: dict[str, str], tmp_path: Path) -> None:
    own, options = files(tmp_path)
    log = str(own.events)
    flow = run("flows.readout", "--events-dir", log, *options, env=prefect_env)
    assert flow.returncode == 0, flow.stderr
    assert "exp: b is better than a: conversion +" in flow.stdout
    rows = read_rows(own.history.folder)
    assert len(rows) == 2
    command = ("nightshelf.cli.main", "experiment", "readout", "exp", "--events", log, *options)
    start = "from nightshelf.cli.main import main; main()"
    done = subprocess.run(
        ["python", "-c", start, *command[1:], "--json"],
        cwd=ROOT, env=prefect_env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdicts"][0]["outcome"] == "better"
    assert Path(found["page"]).exists()
    assert read_rows(own.history.folder) == rows


def test_lost_users_fail_the_run_after_all_is_read(
    prefect_env: dict[str, str], tmp_path: Path
) -> None:
    own, options = files(tmp_path, broken=True)
    flow = run("flows.readout", "--events-dir", str(own.events), *options, env=prefect_env)
    assert flow.returncode == 1
    assert "The readout failed: experiment exp: No verdict: the users of the variants" in " ".join(
        flow.stderr.split()
    )
    assert not any(row["valid"] for row in read_rows(own.history.folder))
