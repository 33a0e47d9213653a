"""Run a program while a process is there: `python -m tests.session.kept PID COMMAND ...`."""

import os
import select
import signal
import subprocess
import sys


def main(pid: int, command: list[str]) -> None:
    """Start the command apart; kill it with all that it has started once the process has ended."""
    if os.fork():
        return
    process = subprocess.Popen(command, start_new_session=True)
    select.select([os.pidfd_open(pid), os.pidfd_open(process.pid)], [], [])
    os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
