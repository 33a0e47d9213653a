"""The worker's process: deploys, then becomes Prefect's worker."""

import os
import sys
from pathlib import Path

from local_system.deployments import POOL, deploy, wait_for_server
from local_system.settings import read


def main(folder: Path) -> None:
    """Wait for the server, make pool and deployments, and run the worker in this process."""
    up = read(folder)
    if up is None:
        raise SystemExit(f"{folder} holds no local system: start it with make up")
    wait_for_server(os.environ["PREFECT_API_URL"])
    deploy(up)
    name = f"worker-{os.getpid()}"
    up.worker_name.write_text(name)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", name]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter


if __name__ == "__main__":
    main(Path(sys.argv[1]))
