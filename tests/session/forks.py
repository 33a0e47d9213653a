"""The fork server of the session, and the folder of commands that it runs."""

import sys
import time
from pathlib import Path

from tests.session.client import COMMANDS
from tests.session.shared import keep

_START_S = 120
_PROGRAM = """\
#!{python} -IS
import sys
sys.path.insert(0, {here!r})
from client import main
main({python!r}, {address!r}, {name!r}, sys.argv[1:])
"""


def programs(folder: Path, env: dict[str, str]) -> Path:
    """Start the fork server, and return a folder with the commands that it runs."""
    address, log, bin_ = folder / "forks.socket", folder / "forks.log", folder / "bin"
    keep([sys.executable, "-m", "tests.session.fork_server", str(address)], env, log)
    bin_.mkdir()
    for name in ("python", *COMMANDS):
        program = bin_ / name
        here = str(Path(__file__).parent)
        program.write_text(
            _PROGRAM.format(python=sys.executable, here=here, address=str(address), name=name)
        )
        program.chmod(0o755)
    deadline = time.monotonic() + _START_S
    while not address.exists():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return bin_


def virtualenv(folder: Path, env: dict[str, str]) -> None:
    """Make a folder's `.venv`: this environment's programs, forked where they can be."""
    forked, made = Path(env["PATH"].split(":")[0]), folder / ".venv"
    (made / "bin").mkdir(parents=True)
    for program in Path(sys.executable).parent.iterdir():
        own = forked / program.name
        (made / "bin" / program.name).symlink_to(own if own.exists() else program)
    for name in (".runs", ".ready"):  # as `make install` leaves it
        (made / name).touch()
