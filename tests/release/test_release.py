"""The commands of a release: packages with all they need, licences known, a bill for each image."""

import re
import sys
import tomllib
from pathlib import Path

from tests.conftest import ROOT
from tests.deploy.tools import program
from tests.release import licences, packages, sbom
from tests.release.pythons import SUPPORTED, interpreters

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def n_pins(lock: Path) -> int:
    return len(re.findall(r"^[a-z0-9._-]+==", lock.read_text(), re.M))


def test_wheel_and_sdist_hold_what_they_need_and_are_the_same_again(tmp_path: Path) -> None:
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        wheel, sdist = packages.build(tmp_path / name)
        packages.contents(wheel, sdist)
        made.append((wheel.read_bytes(), sdist.read_bytes()))
    assert made[0] == made[1]


def test_each_extra_of_an_app_is_tried() -> None:
    extras = set(PROJECT["optional-dependencies"]) - packages.APART
    assert set(packages.SMOKE) == {"", *extras}


def test_supported_pythons_are_those_of_the_project() -> None:
    prefix = "Programming Language :: Python :: "
    named = [
        each.removeprefix(prefix) for each in PROJECT["classifiers"] if each.startswith(prefix)
    ]
    assert tuple(named) == SUPPORTED
    assert PROJECT["requires-python"] == f">={SUPPORTED[0]}"
    ours = ".".join(map(str, sys.version_info[:2]))
    found = dict(interpreters())
    assert ours not in SUPPORTED or found[ours], "this one is found"


def test_the_bills_name_every_package_of_the_images(tmp_path: Path) -> None:
    program("cyclonedx-py")
    for image in sbom.IMAGES:
        bill = sbom.write(image, tmp_path, validate=False).read_bytes()
        assert bill.count(b'"purl"') == n_pins(ROOT / f"deploy/locks/{image}.lock")
    assert sbom.write(image, tmp_path, validate=False).read_bytes() == bill


def test_every_licence_is_known() -> None:
    program("pip-licenses")
    assert licences.main() == 0


def test_tools_of_a_release_are_no_part_of_the_development_lock() -> None:
    dev, release = (
        set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / name).read_text(), re.M))
        for name in ("requirements.lock", "requirements-release.lock")
    )
    tools = {re.split(r"[>=\[]", each)[0] for each in PROJECT["optional-dependencies"]["release"]}
    assert tools <= release
    assert not tools & dev
