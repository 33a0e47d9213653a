"""Configuration files of the local system: nightshelf.toml, experiments.toml, prefect.yaml."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from local_system.settings import NAMESPACE, UpSettings

#: Id of the experiment that own lists are judged by.
EXPERIMENT = "own-lists"
_SETTINGS = """\
# Settings of this system's nights, yours to change: docs/settings.md lists them all.
"""
_EXPERIMENTS = """\
# Experiments of this system, yours to change.
[experiment.{experiment}]
hypothesis = "lists of a user's own bring more clicks than popularity"
status = "running"
start = {start}
traffic = 0.5
primary = "ctr"
secondary = ["conversion"]
minimum_detectable_effect = 0.5
attribution_window_h = 2
variants = [
    {{ name = "popularity", model = "popular" }},
    {{ name = "own", model = "blend" }},
]

# Everybody else.
[experiment.which-model]
hypothesis = "a model alone sells more than the blend"
status = "running"
start = {start}
primary = "conversion"
allocation = "bandit"
attribution_window_h = 2
variants = [
    {{ name = "blend", model = "blend" }},
    {{ name = "als", model = "als" }},
]
"""
#: Deployments without the parameter `run_root`.
_WITHOUT_RUNS = {"collect"}


def write_configs(up: UpSettings, deployments: Path) -> None:
    """Write all files; `deployments` is the checkout's prefect.yaml, whose paths are replaced."""
    start = up.end.isoformat()
    _write_once(settings_file(up), _SETTINGS)
    _write_once(
        up.folder / "experiments.toml", _EXPERIMENTS.format(experiment=EXPERIMENT, start=start)
    )
    yaml = YAML(typ="safe")
    yaml.dump(_here(yaml.load(deployments), up), prefect_file(up))


def settings_file(up: UpSettings) -> Path:
    """Return the settings file, beside which the experiments stand."""
    return up.folder / "nightshelf.toml"


def prefect_file(up: UpSettings) -> Path:
    """Return the file that the deployments are made from."""
    return up.folder / "prefect.yaml"


def _write_once(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)


def _here(asked: dict[str, Any], up: UpSettings) -> dict[str, Any]:
    """Return the deployments with this system's paths; none is scheduled while days are played."""
    paths = {
        "events": up.events,
        "events_dir": up.events,
        "items": up.catalogue,
        "users": up.people,
        "run_root": up.runs,
        "config": settings_file(up),
        "namespace": NAMESPACE,
    }
    for each in asked["deployments"]:
        own = each["parameters"].keys() | {"config"}
        own |= set() if each["name"] in _WITHOUT_RUNS else {"run_root"}
        each["parameters"] = {name: str(value) for name, value in paths.items() if name in own}
        for schedule in each.get("schedules", ()):
            schedule["active"] = not up.days
    here = {"prefect.deployments.steps.set_working_directory": {"directory": str(Path.cwd())}}
    return asked | {"pull": [here]}
