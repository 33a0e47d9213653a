"""The flow `tune` as a command: the search, its file and its output."""

import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.tasks.logs import AS_OF
from tests.tasks.tuning.test_tune import make_files


def test_the_flow_searches_and_says_what_it_wrote(
    prefect_env: dict[str, str], tmp_path: Path
) -> None:
    events, items = make_files(tmp_path)
    out = tmp_path / "found.toml"
    files = ("--events", events, "--items", items, "--run-root", tmp_path / "runs", "--out", out)
    terms = ("--as-of", f"{AS_OF:%Y-%m-%d}", "--trials", 2)
    command = ["python", "-m", "flows.tune", *map(str, (*files, *terms))]
    env = prefect_env | {
        "NIGHTSHELF_TRAIN__ITERATIONS": "2",
        "NIGHTSHELF_CHOOSE__LEAST_JUDGED": "10",
    }
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Chosen from 2 trials by what was held out before those, " in done.stdout
    assert (f"Written: {out}" in done.stdout) == out.exists()
    assert "trial 1: " in done.stderr
