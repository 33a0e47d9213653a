"""The benchmark of the night runs, and counts each step that it names."""

import re

import pytest

from benchmarks.night import main

pytestmark = pytest.mark.slow


def test_each_night_and_the_notebook_are_timed(capsys: pytest.CaptureFixture[str]) -> None:
    main(users=300, items=200, events=6_000, rounds=1)
    printed = capsys.readouterr().out
    row = r"^  choice of the blend +\d+\.\d\d +\d+\.\d\d +0\.0\d +0\.0\d +0\.00$"
    assert re.search(row, printed, re.M), "ALS alone holds its choice, and the notebook has none"
    assert re.search(r"^ratio: \d+\.\d\d$", printed, re.M)
