"""Interpreters at hand, and clean environments made with them."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

#: The versions that pyproject.toml names.
SUPPORTED = ("3.11", "3.12", "3.13")
_ROOT = Path(__file__).parents[2]


def interpreters() -> Iterator[tuple[str, Path | None]]:
    """Yield each supported version and a program of it; none where this machine has none."""
    for version in SUPPORTED:
        named = [Path(each) for each in (shutil.which(f"python{version}"),) if each]
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        named += sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)
        yield version, next((path for path in named if _is(path, version)), None)


def _is(program: Path, version: str) -> bool:
    """Report whether a program runs, and is of a version: pyenv's shims may be of none."""
    asked = [str(program), "-c", "import sys, venv, ensurepip; print(sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    major, minor = version.split(".")
    return done.stdout.strip() == f"({major}, {minor})"


class Environment:
    """A virtual environment in an empty home, without this checkout on any path."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.folder = folder
        (folder / "home").mkdir(parents=True)
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "PREFECT_", "REDIS_", "NIGHTSHELF_", "VIRTUAL_ENV"))
        } | {"HOME": str(folder / "home")}
        made = [str(program), "-m", "venv", str(folder / "venv")]
        subprocess.run(made, check=True, env=self.env)

    def pip(self, *arguments: str) -> None:
        """Run pip, which must succeed."""
        self.run("python", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of the environment and return what it printed; it must succeed."""
        command = [str(self.folder / "venv/bin" / program), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def version(self, package: str) -> str:
        """Return the installed version of a package."""
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return self.run("python", "-c", code).strip()

    def n_packages(self) -> int:
        """Count the installed packages, pip and its like left out."""
        listed = self.run("python", "-m", "pip", "list", "--format=freeze")
        return len(re.findall(r"^(?!pip=|setuptools=).+==", listed, re.M))
