"""Flows that run every few minutes start without the libraries of a night."""

import json
import subprocess
import sys

import pytest

HEAVY = {"numba", "scipy", "pandas", "implicit", "duckdb", "matplotlib"}
CODE = "import json, sys; import flows.{}; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize(("flow", "heavy"), [("collect", set()), ("watch", {"duckdb"})])
def test_a_flow_of_every_few_minutes_is_light(flow: str, heavy: set[str]) -> None:
    command = [sys.executable, "-c", CODE.format(flow)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stdout)) == heavy
