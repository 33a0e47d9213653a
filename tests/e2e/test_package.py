"""The package that an app installs needs redis and cachetools alone."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_lookup_package_only(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"nightshelf", wheel.name.rsplit("-", 3)[0] + ".dist-info"}


def test_the_wheel_holds_the_files_of_the_console(wheel: Path) -> None:
    """All that the pages need is in the package: templates, styles, the vendored script."""
    folder = ROOT / "lookup/nightshelf/service/console"
    files = [path for path in folder.rglob("*.*") if path.suffix not in (".pyc", ".py")]
    assert {path.suffix for path in files} == {".html", ".css", ".js", ".svg", ".txt"}
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {path.relative_to(ROOT / "lookup").as_posix() for path in files} <= names


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel where nothing else but redis, hiredis and cachetools can be found."""
    folder = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*install, "--target", str(folder), str(wheel)], check=True)
    ours = Path(next(path for path in sys.path if path.endswith("site-packages")))
    # redis needs async_timeout on Python before 3.11.3.
    for name in ("redis", "hiredis", "cachetools", "async_timeout"):
        if (ours / name).exists():
            (folder / name).symlink_to(ours / name)
    return folder


def run(code: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run Python that finds packages in these folders and the standard library alone."""
    found = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n{code}"
    command = [sys.executable, "-I", "-S", "-c", found]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_its_core_needs_redis_and_cachetools_alone(site: Path) -> None:
    done = run("from nightshelf import Shelf", site)
    assert done.returncode == 0, done.stderr
    done = run("from nightshelf.cli.main import main\nmain()", site)
    assert done.returncode != 0
    assert "nightshelf[cli]" in done.stderr, "the command says what to install"


def test_an_app_keeps_its_own_packages(site: Path, tmp_path: Path) -> None:
    """Import an app's own `tasks`, `flows` and `data`, though the wheel is looked in first."""
    for name in ("tasks", "flows", "data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"OWN = {name!r}")
    code = "import data, flows, nightshelf, tasks\nprint(data.OWN, flows.OWN, tasks.OWN)"
    done = run(code, site, tmp_path)
    assert (done.stdout, done.stderr) == ("data flows tasks\n", "")
