"""The units: taken by systemd, with their files, and exposed to little."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.tools import DEPLOY, program, run

UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
#: Exposure by `systemd-analyze security`, of 100: below 20 it says OK.
_MOST_EXPOSED = "20"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units with this checkout in place of /srv/nightshelf, whose programs must be there."""
    for unit in UNITS:
        text = unit.read_text().replace("/srv/nightshelf/.venv", str(ROOT / ".venv"))
        (tmp_path / unit.name.replace("@", "@night")).write_text(text)
    return tmp_path


def test_systemd_takes_them(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    said = run(
        *(program("systemd-analyze"), "verify", "--man=no", *(f"./{name}" for name in names)),
        cwd=folder,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:"},
    )
    assert said == ""


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_is_exposed_to_little(unit: Path, folder: Path) -> None:
    name = unit.name.replace("@", "@night")
    analyze = (program("systemd-analyze"), "security", "--offline=true", "--no-pager")
    run(*analyze, f"--threshold={_MOST_EXPOSED}", f"./{name}", cwd=folder)


def test_the_target_wants_every_unit_and_each_has_its_secrets(deployed: Path) -> None:
    wanted = re.findall(
        r"nightshelf-[\w@]+\.service", (DEPLOY / "systemd/nightshelf.target").read_text()
    )
    assert {re.sub(r"@\w+", "@", each) for each in wanted} == {unit.name for unit in SERVICES}
    for name in wanted:
        template, _, instance = name.removesuffix(".service").partition("@")
        unit = DEPLOY / "systemd" / f"{template}{'@' * bool(instance)}.service"
        files = re.findall(r"^EnvironmentFile=/etc/nightshelf/(.*)$", unit.read_text(), re.M)
        assert files, name
        for file in files:
            assert (deployed / file.replace("%i", instance)).is_file(), (name, file)
