"""The images: no findings, the checkout's versions, and no secret in the build's context."""

import re
from fnmatch import fnmatch
from pathlib import Path

from tests.conftest import ROOT
from tests.deploy.tools import DEPLOY, program, run

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
_PIN = re.compile(r"^([a-z0-9._-]+)==([^ ]+)", re.M)
VERSION = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)


def pins(path: Path) -> set[tuple[str, str]]:
    return set(_PIN.findall(path.read_text()))


def test_the_linter_finds_nothing() -> None:
    assert run(program("hadolint"), "--failure-threshold", "info", DEPLOY / "Dockerfile") == ""


def test_the_environment_of_spark_differs_in_what_spark_wants() -> None:
    theirs = pins(ROOT / "requirements-spark.lock") - pins(ROOT / "requirements.lock")
    assert {name for name, _ in theirs} == {"pandas", "py4j", "pyspark"}, "make lock"


def test_the_images_hold_the_versions_that_are_tested() -> None:
    ours = pins(ROOT / "requirements.lock")
    for lock in ("build", "service", "night"):
        found = pins(DEPLOY / f"locks/{lock}.lock")
        assert found, lock
        assert found <= ours, f"make lock: {lock}.lock has {sorted(found - ours)}"
    assert {"prefect", "duckdb", "implicit"} <= {
        name for name, _ in pins(DEPLOY / "locks/night.lock")
    }
    assert "prefect" not in {name for name, _ in pins(DEPLOY / "locks/service.lock")}


def test_every_install_is_hashed_and_no_image_runs_as_root() -> None:
    installs = re.findall(r"pip\S* (?:--python \S+ )?install (.*?)(?: \\)?$", DOCKERFILE, re.M)
    assert len(installs) == 5
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.M)[1:]
    last = [stage for stage in stages if re.search(r"^CMD ", stage, re.M)]
    assert len(last) == 2
    for stage in last:
        assert re.search(r"^USER 10001:10001$", stage, re.M)
        assert "HEALTHCHECK" in stage


def taken(path: str) -> bool:
    """Report whether a path is in the context, by the last rule of .dockerignore that fits."""
    inside = True
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.lstrip("!").rstrip("/")
        parents = [path, *map(str, Path(path).parents)]
        if pattern.startswith("**/"):
            fits = any(fnmatch(Path(each).name, pattern[3:]) for each in parents)
        else:
            fits = any(
                fnmatch(each, pattern) and each.count("/") == pattern.count("/") for each in parents
            )
        if fits:
            inside = rule.startswith("!")
    return inside


def test_the_context_holds_what_is_copied_and_no_log_run_or_secret() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.M)
    sources = [name for line in copied for name in line.split()]
    assert len(sources) >= 8
    for name in sources:
        tracked = run("git", "ls-files", name).split()
        assert tracked, name
        left = {str(Path(each).parent) for each in tracked if not taken(each)}
        assert left <= {"data/simulator"}, "make up's visitors alone are of no use there"
    for name in (
        *("deploy/secrets/night.env", "nightshelf.toml", "runs/shop/1/report.html", ".git/config"),
        *(".venv/bin/python", ".nightshelf/shop/items.parquet", "data/mine/events.parquet"),
        *("tasks/__pycache__/errors.cpython-311.pyc", "tests/conftest.py", "docs/quality.md"),
    ):
        assert not taken(name), name


def test_images_are_tagged_with_the_version() -> None:
    assert VERSION
    for path in (*DEPLOY.glob("kubernetes/*.yaml"), DEPLOY / "compose.yaml", DEPLOY / "Dockerfile"):
        tags = re.findall(r"nightshelf-(?:night|service):(\S+)", path.read_text())
        assert set(tags) <= {VERSION[1]}, path
