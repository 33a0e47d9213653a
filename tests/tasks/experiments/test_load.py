"""experiments.toml: read in order, and refused with every fault at once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.errors import SettingsError
from tasks.experiments.definition import Metric
from tasks.experiments.load import load_experiments

GOOD = """\
[experiment.als-alone]
hypothesis = "ALS alone brings more buyers than the blend"
status = "running"
start = 2026-03-01
end = 2026-03-29T12:00:00+02:00
traffic = 0.5
primary = "conversion"
secondary = ["ctr", "add_to_cart"]
guardrails = ["revenue"]
variants = [
    { name = "control", model = "blend", weight = 1 },
    { name = "als", model = "als", weight = 3 },
]

[experiment.graph]
hypothesis = "so does the graph"
status = "draft"
start = 2026-04-01
primary = "purchase"
allocation = "bandit"
namespaces = ["books"]
auto_stop = true
variants = [{ name = "control", model = "blend" }, { name = "graph", model = "graph" }]
"""


def write(folder: Path, text: str) -> Path:
    """Write the experiments; return the settings file that they stand beside."""
    (folder / "experiments.toml").write_text(text)
    return folder / "nightshelf.toml"


def test_an_absent_file_has_no_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_experiments("shop") == load_experiments("shop", tmp_path / "other.toml") == ()
    write(tmp_path, GOOD)
    assert len(load_experiments("shop")) == 1


def test_definitions_are_read_in_order(tmp_path: Path) -> None:
    config = write(tmp_path, GOOD)
    first, second = load_experiments("books", config)
    assert load_experiments("shop", config) == (first,)
    assert (first.id, first.control.model, first.traffic) == ("als-alone", "blend", 0.5)
    assert first.weights == {"control": 0.25, "als": 0.75}
    assert first.start == datetime(2026, 3, 1, tzinfo=UTC)
    assert first.end == datetime(2026, 3, 29, 10, tzinfo=UTC)
    assert first.metrics == (
        Metric("conversion", "proportion", "purchase"),
        Metric("ctr", "ratio", "click"),
        Metric("add_to_cart", "proportion", "add_to_cart"),
        Metric("revenue", "mean", "purchase"),
    )
    assert first.runs_at(datetime(2026, 3, 29, 9, tzinfo=UTC))
    assert not first.runs_at(datetime(2026, 3, 29, 10, tzinfo=UTC))
    assert (second.allocation, second.auto_stop, second.end) == ("bandit", True, None)
    assert first.digest() != second.digest()


#: A change of GOOD -> what each line of the error says.
FAULTS = {
    ("status", "statsu"): ["als-alone.statsu: no such field", "status: missing"],
    ('"running"', '"runing"'): ["found 'runing'; allowed: draft, running", "write 'running'"],
    ('model = "als"', 'model = "alss"'): ["variants[1].model: found 'alss'", "write 'als' instead"],
    ("traffic = 0.5", "traffic = 50"): ["traffic: found 50; allowed: a share of the users, 0 to 1"],
    ("weight = 3", "weight = true"): ["variants[1].weight: found True", "a number above 0"],
    ("weight = 3", "weight = 0"): ["variants[1].weight: found 0"],
    ("start = 2026-03-01", "start = 2026-03-01T00:00:00"): ["give the offset"],
    ("start = 2026-03-01", "start = 2026-05-01"): ["end: found 2026-03-29T10:00", "after start"],
    ('{ name = "als"', '{ name = "control"'): ["variants: 'control' twice", "rename one"],
    ('name = "als"', 'name = "a b"'): ["variants[1].name: found 'a b'"],
    ('["ctr", "add_to_cart"]', '["cttr"]'): ["secondary: found ['cttr']", "write 'ctr' instead"],
    ('["revenue"]', '["ctr"]'): ["'ctr' twice", "each metric once"],
    ('"purchase"', '"revenue"'): ["graph.primary: found 'revenue'", "a bandit compares shares"],
    ('model = "graph"', 'model = "graph", weight = 1'): ["graph.variants: found a weight"],
    ("[experiment.graph]", "[experiments.graph]"): ["experiments: no such table", "experiment"],
    ("[experiment.graph]", '[experiment."a:b"]'): ["found 'a:b'"],
    ("auto_stop = true", "auto_stop = 1"): ["auto_stop: found 1; allowed: true or false"],
    ('hypothesis = "so', 'hypothesis = "" # "so'): ["graph.hypothesis: found ''", "a sentence"],
    (', { name = "graph", model = "graph" }', ""): ["variants: found", "two or more tables"],
    ("[experiment.graph]", "[experiment.graph"): ["cannot be read", "line"],
}


@pytest.mark.parametrize(("change", "says"), FAULTS.items())
def test_a_fault_says_where_it_is_and_what_to_do(
    tmp_path: Path, change: tuple[str, str], says: list[str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        load_experiments("shop", write(tmp_path, GOOD.replace(*change)))
    lines = str(refused.value).splitlines()
    assert all(line.startswith(f"{tmp_path}/experiments.toml: ") for line in lines)
    assert [each for each in says if each not in str(refused.value)] == []


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("traffic = 0.5", "traffic = -1").replace('"draft"', "4")
    text = text.replace('model = "als"', "model = 7").replace('["books"]', '"books"')
    with pytest.raises(SettingsError) as refused:
        load_experiments("shop", write(tmp_path, text))
    wrong = [line.split(": ")[1] for line in str(refused.value).splitlines()]
    assert wrong == [
        "experiment.als-alone.traffic",
        "experiment.als-alone.variants[1].model",
        "experiment.graph.status",
        "experiment.graph.namespaces",
    ]
