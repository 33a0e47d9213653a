"""Build wheel and sdist into dist/, and use them in clean environments: core, and each extra.

Apps get the newest packages that pyproject.toml allows, and so do they here. The pipeline is run
from a checkout, by a lock: its extra is installed by that of the images.
"""

import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from rich.console import Console
from rich.table import Table

from tests.conftest import ROOT
from tests.release.pythons import Environment, interpreters

DIST = ROOT / "dist"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION: str = PROJECT["version"]
#: Extras that have environments and locks of their own.
APART = {"dev", "release", "spark", "spark-test"}
#: What is run after each extra was installed: code, or a command line of `nightshelf`.
SMOKE = {
    "": "from nightshelf import AsyncShelf, Shelf; Shelf.from_url('redis://127.0.0.1:1/0', 'shop')",
    "fast": "import orjson; from nightshelf import Shelf",
    "cli": "nightshelf get --help",
    "service": "nightshelf serve --help",
    "dashboard": "import nightshelf.service.dashboard.query",
    "console": "import nightshelf.service.console.pages",
    "pipeline": "import duckdb, implicit, numba, prefect, tea_tasting; prefect.flow(len)",
}


def build(folder: Path) -> tuple[Path, Path]:
    """Build wheel and sdist into a folder, in place of older ones, and return them."""
    for path in (*folder.glob("*.whl"), *folder.glob("*.tar.gz")):
        path.unlink()
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def contents(wheel: Path, sdist: Path) -> None:
    """Check names, version and licence, and that the sdist holds all that the wheel is built of."""
    assert wheel.name == f"nightshelf-{VERSION}-py3-none-any.whl", wheel.name
    assert sdist.name == f"nightshelf-{VERSION}.tar.gz", sdist.name
    with ZipFile(wheel) as archive:
        ours = {name for name in archive.namelist() if name.startswith("nightshelf/")}
        info = f"nightshelf-{VERSION}.dist-info"
        assert f"{info}/licenses/LICENSE" in archive.namelist()
    with tarfile.open(sdist) as source:
        held = {name.partition("/")[2] for name in source.getnames()}
    assert {f"lookup/{name}" for name in ours} <= held
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml"} <= held


def smoke(environment: Environment, extra: str) -> None:
    """Run an extra's code or command."""
    environment.run("python", "-m", "pip", "check")
    assert environment.version("nightshelf") == VERSION
    if SMOKE[extra].startswith("nightshelf"):
        environment.run(*SMOKE[extra].split())
    else:
        environment.run("python", "-W", "error::ImportWarning", "-c", SMOKE[extra])


def install(environment: Environment, wheel: Path, extra: str) -> None:
    """Install the wheel with an extra; the pipeline's packages as the images have them."""
    if extra == "pipeline":
        lock = str(ROOT / "deploy/locks/night.lock")
        environment.pip("install", "--no-deps", "--require-hashes", "-r", lock)
        environment.pip("install", "--no-deps", str(wheel))
    else:
        environment.pip("install", f"{wheel}[{extra}]" if extra else str(wheel))


def main() -> None:
    """Build, install, use, and print a line for each."""
    console = Console()
    extras = set(PROJECT["optional-dependencies"]) - APART
    assert set(SMOKE) == {"", *extras}, "each extra is tried"
    wheel, sdist = build(DIST)
    contents(wheel, sdist)
    table = Table(
        "installed", "python", "packages", "redis", "works", title=f"Nightshelf {VERSION}"
    )
    found = [(version, program) for version, program in interpreters() if program]
    for version, program in found:
        for extra in SMOKE if version == found[0][0] else ("", "console", "pipeline"):
            with TemporaryDirectory() as folder, console.status(f"{version} [{extra}] ..."):
                environment = Environment(program, Path(folder) / "e")
                install(environment, wheel, extra)
                smoke(environment, extra)
                name = f"wheel\\[{extra}]" if extra else "wheel"
                counted = str(environment.n_packages())
                table.add_row(name, version, counted, environment.version("redis"), "yes")
                console.print(f"python {version}: {name} works")
    version, program = found[0]
    with TemporaryDirectory() as folder, console.status("sdist ..."):
        environment = Environment(program, Path(folder) / "e")
        environment.pip("install", str(sdist))
        smoke(environment, "")
        counted = str(environment.n_packages())
        table.add_row("sdist", version, counted, environment.version("redis"), "yes")
    console.print(table)
    for path in (wheel, sdist):
        console.print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
