"""What a step becomes under Prefect: a named task with a log line and progress."""

import subprocess
import sys

import pytest

from tests.e2e.test_prefect import ask

pytestmark = pytest.mark.e2e


def test_a_long_step_shows_its_progress_and_a_short_one_none(prefect_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.e2e.counting"]
    done = subprocess.run(command, env=prefect_env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "count_at_once: (" in done.stderr
    shown = {row["key"]: row for row in ask(prefect_env, "artifacts", {})}
    assert "count-at-once" not in shown
    assert shown["count-slowly"]["type"] == "progress"
    assert 40 <= shown["count-slowly"]["data"] <= 100
