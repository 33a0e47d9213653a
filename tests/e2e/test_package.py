"""What an app installs: one package, that needs redis and cachetools alone."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.e2e


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


def test_its_core_needs_redis_and_cachetools_alone(wheel: Path, tmp_path: Path) -> None:
    """Import the wheel where nothing but redis, hiredis and cachetools can be found."""
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    site = Path(next(path for path in sys.path if path.endswith("site-packages")))
    for name in ("redis", "hiredis", "cachetools"):
        (tmp_path / name).symlink_to(site / name)
    code = f"import sys; sys.path.append({str(tmp_path)!r})\nfrom nightshelf import Shelf"
    app = [sys.executable, "-I", "-S", "-c"]
    done = subprocess.run([*app, code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    command = f"{code}\nfrom nightshelf.cli import main\nmain()"
    done = subprocess.run([*app, command], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nightshelf[cli]" in done.stderr, "the command says what to install"
