"""A readout from a log and a history: saved rows, the page, and what is refused."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from nightshelf.contract.experiment import Variant
from tasks.errors import InputError
from tasks.experiments.definition import Definition
from tasks.experiments.history import History
from tasks.experiments.history_rows import Phase
from tasks.readout.page import to_markdown
from tasks.readout.read_out import Source, named, read_out, readable
from tasks.readout.save import read_rows, save
from tasks.readout.settings import ReadoutSettings
from tests.tasks.readout.logs import HOUR, START, Row, event, shown, write_log
from tests.tasks.readout.simulated import DEFINITION

SETTINGS = ReadoutSettings()
UNTIL = START + timedelta(days=8)
HALVES = (Variant("a", "blend", ((0, 5_000),)), Variant("b", "als", ((5_000, 10_000),)))


def source(root: Path, rows: list[Row], *, ended: bool = False) -> Source:
    """Return a namespace with a log, and a history of one phase."""
    phase = Phase("exp", 1, START, UNTIL if ended else None, ((0, 10_000),), HALVES)
    History(root, "shop").write_phases([phase])
    log = write_log(root / "log.parquet", rows)
    return Source("shop", log, None, root, {"purchase": ("purchase",)}, {"dislike": -1.0})


def some_traffic(n: int) -> list[Row]:
    """Return exposures of so many users a variant, of whom more buy in `b`."""
    rng = np.random.default_rng(1)
    rows: list[Row] = []
    for at in range(2 * n):
        variant = "ab"[at % 2]
        hour = float(rng.uniform(0, 100))
        rows.append(shown(f"u{at}", variant, hour))
        if rng.random() < (0.2 if variant == "a" else 0.4):
            rows.append(event(f"u{at}", "purchase", hour + 1, value=10.0))
    return rows


def test_a_readout_is_saved_and_drawn(tmp_path: Path) -> None:
    own = source(tmp_path, some_traffic(1_500))
    found = read_out(DEFINITION, own, SETTINGS, UNTIL)
    assert found.users == {"a": 1_500, "b": 1_500}
    assert found.verdicts[0].outcome == "better"
    folder = own.history.folder
    page = save(found, folder, "shop")
    save(found, folder, "shop")
    rows = read_rows(folder)
    assert [(row["metric"], row["variant"]) for row in rows] == [
        (metric, variant) for metric in ("conversion", "ctr", "revenue") for variant in "ab"
    ]
    assert rows[1]["outcome"] == "better"
    assert rows[1]["low"] < 0.2 < rows[1]["high"]
    assert rows[1]["users"] == 1_500
    save(read_out(DEFINITION, own, SETTINGS, UNTIL + HOUR), folder, "shop")
    assert len(read_rows(folder)) == 12
    text = page.read_text()
    assert "<svg" in text and "b is better than a" in text and "Sample ratio" in text
    assert json.loads((folder / "exp.json").read_text())["verdicts"][0]["outcome"] == "better"
    assert "## Comparisons" in to_markdown(found, "shop")
    assert to_markdown(found, "shop") == to_markdown(
        read_out(DEFINITION, own, SETTINGS, UNTIL), "shop"
    )


def test_an_end_bounds_the_exposures(tmp_path: Path) -> None:
    own = source(tmp_path, [shown("u1", "a", 10), shown("u2", "b", 30), shown("u3", "a", 90)])
    ended = replace(DEFINITION, end=START + 40 * HOUR)
    found = read_out(ended, own, SETTINGS, START + 300 * HOUR)
    assert found.users == {"a": 1, "b": 1}
    assert found.until == (START + 64 * HOUR).isoformat()


def test_an_experiment_before_its_first_night_is_refused(tmp_path: Path) -> None:
    bare = Source("shop", tmp_path, None, tmp_path, {}, {})
    with pytest.raises(InputError, match=r"experiment exp has no phase in .*experiments"):
        read_out(DEFINITION, bare, SETTINGS, UNTIL)
    with pytest.raises(InputError, match=r"no experiment 'other' of shop .*: exp"):
        named([DEFINITION], "other", "shop")
    assert named([DEFINITION], "exp", "shop") is DEFINITION


@pytest.mark.parametrize(
    ("changed", "hours", "expected"),
    [
        ({}, 48, True),
        ({}, 0, False),  # it begins now
        ({"status": "draft"}, 48, False),
        ({"id": "other"}, 48, False),  # never published
    ],
)
def test_a_night_reads_out_what_has_run(
    tmp_path: Path, changed: dict[str, str], hours: int, expected: bool
) -> None:
    own = source(tmp_path, [])
    definition: Definition = replace(DEFINITION, **changed)  # type: ignore[arg-type]
    assert bool(readable([definition], own, START + hours * HOUR)) is expected


def test_what_ended_is_read_out_until_its_windows_are_over(tmp_path: Path) -> None:
    own = source(tmp_path, [], ended=True)
    assert readable([DEFINITION], own, UNTIL + timedelta(days=2))
    assert not readable([DEFINITION], own, UNTIL + timedelta(days=2, hours=1))
